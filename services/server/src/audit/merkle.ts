import { createHash } from 'node:crypto';

/** RFC 6962, section 2.1: a leaf and an inner node never hash alike, so no tree can be passed off as another. */
const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);

/** The hash of a leaf with this content, which may come in parts. */
export function leafHash(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256').update(LEAF);
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** The Merkle tree hash (RFC 6962) of leaves that are hashed already; of none: SHA-256 of nothing. */
export function merkleRoot(leaves: readonly Buffer[]): Buffer {
  const root = new MerkleRoot();
  for (const leaf of leaves) root.add(leaf);
  return root.digest();
}

/**
 * The same, leaf by leaf, holding log2(n) hashes: complete subtrees of falling size, as the binary digits of the count say.
 */
export class MerkleRoot {
  readonly #subtrees: Buffer[] = [];
  #count = 0;

  /** @param leaf a {@link leafHash}. */
  add(leaf: Buffer): void {
    let hash = leaf;
    for (let size = this.#count; size % 2 === 1; size = (size - 1) / 2)
      hash = nodeHash(this.#subtrees.pop() ?? leaf, hash);
    this.#subtrees.push(hash);
    this.#count += 1;
  }

  get count(): number {
    return this.#count;
  }

  digest(): Buffer {
    const last = this.#subtrees.at(-1);
    if (last === undefined) return createHash('sha256').digest();
    return this.#subtrees.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), last);
  }
}

function nodeHash(left: Buffer, right: Buffer): Buffer {
  return createHash('sha256').update(NODE).update(left).update(right).digest();
}
