import { createHash } from 'node:crypto';
import { FacetEncodingError } from './facet-errors.ts';
import { FACET_SHAPES } from './facet-shapes.ts';
import { FACET_WORDS } from './facet-values.ts';
import type { FacetShape, FacetValues, KnownFacet } from './facet-values.ts';
import { firstOutOfOrder, sortedBy } from './sorting.ts';

/** Bytes of a digest: SHA-256. */
export const DIGEST_BYTES = 32;

/** SHA-256 of bytes, 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

/** Whether two digests are equal; they are no secrets. */
export function sameDigest(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/**
 * Canonical bytes of a facet's value: the protobuf encoding with entries sorted by key and sets sorted, so that equal content gives equal bytes
 * whatever the order in which it was read. Fields that protobuf omits (zero, empty) are omitted.
 *
 * @throws FacetEncodingError when two entries have the same key.
 */
export function encodeFacet<F extends KnownFacet>(facet: F, value: FacetValues[F]): Uint8Array {
  return encodeWith(FACET_WORDS[facet], shapeOf(facet), value);
}

/**
 * Reads canonical bytes of a facet.
 *
 * @throws FacetEncodingError when the bytes are no message, or not in canonical order: whoever made them did not use `encodeFacet`.
 */
export function decodeFacet<F extends KnownFacet>(facet: F, bytes: Uint8Array): FacetValues[F] {
  return decodeWith(FACET_WORDS[facet], shapeOf(facet), bytes);
}

/**
 * Digest of a facet's value: SHA-256 over its canonical bytes.
 *
 * Not for `available`: its digest is over depmod's index files (the agent makes it), and its content has a digest of its own, which is this one.
 */
export function facetDigest<F extends KnownFacet>(facet: F, value: FacetValues[F]): Uint8Array {
  return sha256(encodeFacet(facet, value));
}

/** The shape of one facet, typed by it. */
export function shapeOf<F extends KnownFacet>(facet: F): FacetShape<FacetValues[F], unknown> {
  const shapes: { readonly [K in KnownFacet]: unknown } = FACET_SHAPES;
  return shapes[facet] as FacetShape<FacetValues[F], unknown>;
}

function encodeWith<V, E>(word: string, shape: FacetShape<V, E>, value: V): Uint8Array {
  const normal = shape.normalise(value);
  if (shape.entries === undefined) return shape.encode(normal);
  const { of, with: withEntries, keyOf, normalise } = shape.entries;
  const entries = sortedBy(of(normal), keyOf).map(normalise);
  const repeated = firstOutOfOrder(entries, keyOf);
  if (repeated !== undefined)
    throw new FacetEncodingError(`facet ${word} has two entries for ${JSON.stringify(repeated)}`);
  return shape.encode(withEntries(normal, entries));
}

function decodeWith<V, E>(word: string, shape: FacetShape<V, E>, bytes: Uint8Array): V {
  let value: V;
  try {
    value = shape.decode(bytes);
  } catch (cause) {
    throw new FacetEncodingError(`facet ${word}: the bytes are no message of this kind`, { cause });
  }
  // Checked by key, not by encoding again: a newer agent may send fields that this build does not know.
  if (shape.entries !== undefined) {
    const misplaced = firstOutOfOrder(shape.entries.of(value), shape.entries.keyOf);
    if (misplaced !== undefined)
      throw new FacetEncodingError(`facet ${word}: entry ${JSON.stringify(misplaced)} is out of order or repeated`);
  }
  return value;
}
