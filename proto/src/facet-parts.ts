import type { FacetDelta } from '../gen/modfleet/types/v1/facet.ts';
import { FacetDeltaError } from './facet-errors.ts';
import { type Frame, framesOf } from './facet-frames.ts';
import { FACET_WORDS, type KnownFacet } from './facet-values.ts';
import { compareText } from './sorting.ts';

/** What changed between two values of a facet, still without the digest of its base. */
export type FacetChange = Pick<FacetDelta, 'removed' | 'upserted'>;

/** Canonical bytes of a facet, and where its entries are. */
export interface Placed {
  readonly bytes: Uint8Array;
  /** Where the first entry begins. */
  readonly begin: number;
  /** Where each entry ends. */
  readonly ends: readonly number[];
}

/** A value taken apart: once, for one change after the other. */
export interface FacetParts extends Placed {
  /** Of the entries, in order. */
  readonly keys: readonly string[];
}

/** @throws FacetEncodingError as {@link framesOf} */
export function partsOf(facet: KnownFacet, bytes: Uint8Array): FacetParts {
  const { before, entries } = framesOf(facet, bytes);
  const ends = endsOf(
    before.length,
    entries.map((entry) => entry.bytes.length),
  );
  return { bytes, keys: entries.map(({ key }) => key), begin: before.length, ends };
}

/** The bytes of one entry. */
export function entryAt({ bytes, begin, ends }: Placed, at: number): Uint8Array {
  return bytes.subarray(at === 0 ? begin : ends[at - 1], ends[at]);
}

/** A value after a change. */
export interface ChangedParts {
  readonly parts: FacetParts;
  /** Of each entry its place in the base, or -1: it came with the change. */
  readonly origins: readonly number[];
}

/**
 * A value with a change applied; of what stays nothing is read. The caller compares the digest of the result with the one that was announced: that, not this function, is the
 * proof.
 *
 * @throws FacetDeltaError when the change removes what is not there, or both removes and adds a key.
 * @throws FacetEncodingError when the change is not canonical.
 */
export function changedParts(facet: KnownFacet, base: FacetParts, change: FacetChange): ChangedParts {
  const word = FACET_WORDS[facet];
  const removed = new Set(change.removed);
  const carrier = framesOf(facet, change.upserted);
  for (const { key } of carrier.entries)
    if (removed.has(key))
      throw new FacetDeltaError(`change of facet ${word} both removes and adds ${JSON.stringify(key)}`);
  const merge = new Merge(base);
  let next = 0;
  for (const [at, key] of base.keys.entries()) {
    for (let frame = carrier.entries[next]; frame !== undefined && compareText(frame.key, key) < 0;) {
      merge.add(frame);
      frame = carrier.entries[++next];
    }
    if (removed.delete(key)) continue;
    const frame = carrier.entries[next];
    if (frame?.key !== key) merge.keep(at, key);
    else {
      merge.add(frame);
      next += 1;
    }
  }
  for (const frame of carrier.entries.slice(next)) merge.add(frame);
  const [missing] = removed;
  if (missing !== undefined)
    throw new FacetDeltaError(`change of facet ${word} removes ${JSON.stringify(missing)}, which is not there`);
  // What is no entry (the kernel release of `available`) comes from the change, which carries it whole.
  return merge.between(carrier.before, carrier.after);
}

/** Entries of a base and of a change, in their order. */
class Merge {
  readonly #base: FacetParts;
  readonly #pieces: Uint8Array[] = [];
  readonly #keys: string[] = [];
  readonly #lengths: number[] = [];
  readonly #origins: number[] = [];
  /** Bytes of the base that are taken in one piece. */
  #from = 0;
  #to = 0;

  constructor(base: FacetParts) {
    this.#base = base;
  }

  keep(at: number, key: string): void {
    const { begin, ends } = this.#base;
    const from = at === 0 ? begin : (ends[at - 1] ?? begin);
    const to = ends[at] ?? from;
    if (this.#to !== from) this.#flush(from);
    this.#to = to;
    this.#note(key, to - from, at);
  }

  add({ key, bytes }: Frame): void {
    this.#flush(this.#to);
    this.#pieces.push(bytes);
    this.#note(key, bytes.length, -1);
  }

  between(before: Uint8Array, after: Uint8Array): ChangedParts {
    this.#flush(this.#to);
    const whole = Buffer.concat([before, ...this.#pieces, after]);
    const bytes = new Uint8Array(whole.buffer, whole.byteOffset, whole.length);
    const parts = { bytes, keys: this.#keys, begin: before.length, ends: endsOf(before.length, this.#lengths) };
    return { parts, origins: this.#origins };
  }

  /** What was kept so far is a piece; the next one begins there. */
  #flush(next: number): void {
    if (this.#to > this.#from) this.#pieces.push(this.#base.bytes.subarray(this.#from, this.#to));
    this.#from = next;
    this.#to = next;
  }

  #note(key: string, length: number, origin: number): void {
    this.#keys.push(key);
    this.#lengths.push(length);
    this.#origins.push(origin);
  }
}

/** Where entries of these lengths end that follow upon each other. */
export function endsOf(begin: number, lengths: readonly number[]): number[] {
  let end = begin;
  return lengths.map((length) => (end += length));
}
