import { createHash } from 'node:crypto';
import { fieldBytes } from './row-bytes.ts';

const SEAL_DOMAIN = 'modfleet audit seal v1';

/** What the first seal has for a seal before it. */
export const NO_SEAL = Buffer.alloc(32);

/** Consecutive rows of one lane. */
export interface SealedRange {
  readonly replicaId: string;
  readonly lane: number;
  readonly from: number;
  readonly to: number;
}

/** A row of `audit.seal`. */
export interface Seal {
  /** From 1, without gaps. */
  readonly number: number;
  /** ms since the epoch, by Postgres's clock. */
  readonly atMs: number;
  /** Term of the lease under which it was made. */
  readonly term: number;
  /** Who held the lease. */
  readonly replicaId: string;
  /** {@link rangesText}. */
  readonly ranges: string;
  readonly rowCount: number;
  /** Merkle root (RFC 6962) over the rows, in the order of the ranges. */
  readonly root: Buffer;
  /** {@link sealHash} of the seal before; {@link NO_SEAL} for the first. */
  readonly previous: Buffer;
  /** Which key signed it. */
  readonly keyId: Buffer;
  /** Ed25519 over {@link sealBytes}. */
  readonly signature: Buffer;
}

/** What is signed. */
export function sealBytes(seal: Omit<Seal, 'signature'>): Buffer {
  return fieldBytes(SEAL_DOMAIN, [
    seal.number,
    seal.atMs,
    seal.term,
    seal.replicaId,
    seal.ranges,
    seal.rowCount,
    seal.root,
    seal.previous,
    seal.keyId,
  ]);
}

/** SHA-256 over what is signed and the signature. */
export function sealHash(seal: Seal): Buffer {
  return createHash('sha256').update(sealBytes(seal)).update(seal.signature).digest();
}

export function rangesText(ranges: readonly SealedRange[]): string {
  return JSON.stringify(ranges.map(({ replicaId, lane, from, to }) => [replicaId, lane, from, to]));
}

/** Undefined for what {@link rangesText} did not write. */
export function parseRanges(text: string): SealedRange[] | undefined {
  try {
    const parsed = JSON.parse(text) as [string, number, number, number][];
    const ranges = parsed.map(([replicaId, lane, from, to]) => ({ replicaId, lane, from, to }));
    return rangesText(ranges) === text && ranges.every(isRange) ? ranges : undefined;
  } catch {
    return undefined;
  }
}

function isRange({ replicaId, lane, from, to }: SealedRange): boolean {
  const whole = [lane, from, to].every(Number.isSafeInteger);
  return whole && /^[0-9a-f-]{36}$/.test(replicaId) && from >= 1 && to >= from;
}

/** The ranges of rows in their order; a number that is not there begins a new range. */
export function rangesOf(rows: readonly { replicaId: string; lane: number; number: number }[]): SealedRange[] {
  const ranges: { replicaId: string; lane: number; from: number; to: number }[] = [];
  for (const { replicaId, lane, number } of rows) {
    const last = ranges.at(-1);
    if (last !== undefined && last.replicaId === replicaId && last.lane === lane && last.to + 1 === number)
      last.to = number;
    else ranges.push({ replicaId, lane, from: number, to: number });
  }
  return ranges;
}

/** One lane's name, as a key of maps. */
export function laneName({ replicaId, lane }: { readonly replicaId: string; readonly lane: number }): string {
  return `${replicaId}.${lane}`;
}
