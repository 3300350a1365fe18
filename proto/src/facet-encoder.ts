import { encodeFacet, shapeOf } from './facet-encoding.ts';
import { framesOf } from './facet-frames.ts';
import { endsOf, entryAt, partsOf, type Placed } from './facet-parts.ts';
import type { FacetValues, KnownFacet } from './facet-values.ts';
import { sortedBy } from './sorting.ts';

/** Entries as they were encoded last, and where they are in the bytes. */
interface Last extends Placed {
  readonly entries: readonly unknown[];
}

/**
 * Encodes one facet of one host again and again: as encodeFacet does, but what is the same object as the last time is not encoded anew. An entry that was given must
 * not be changed afterwards.
 */
export class FacetEncoder<F extends KnownFacet> {
  readonly #facet: F;
  #last: Last | undefined;

  constructor(facet: F) {
    this.#facet = facet;
  }

  /** @throws FacetEncodingError as encodeFacet */
  encode(value: FacetValues[F]): Uint8Array {
    const { entries } = shapeOf(this.#facet);
    const last = this.#last;
    this.#last = undefined;
    if (entries === undefined) return encodeFacet(this.#facet, value);
    const sorted = sortedBy(entries.of(value), entries.keyOf);
    const changed = last === undefined ? undefined : changedFrom(last.entries, sorted);
    this.#last =
      last === undefined || changed === undefined || changed.length * 2 > sorted.length
        ? this.#whole(value, sorted)
        : this.#patched(last, value, sorted, changed);
    return this.#last.bytes;
  }

  #whole(value: FacetValues[F], entries: readonly unknown[]): Last {
    return { entries, ...partsOf(this.#facet, encodeFacet(this.#facet, value)) };
  }

  #patched(last: Last, value: FacetValues[F], sorted: readonly unknown[], changed: readonly unknown[]): Last {
    const { entries } = shapeOf(this.#facet);
    if (entries === undefined) return this.#whole(value, sorted);
    // What is no entry, and the entries that are new.
    const patch = framesOf(this.#facet, encodeFacet(this.#facet, entries.with(value, [...changed])));
    const anew = new Map(patch.entries.map((frame) => [frame.key, frame.bytes]));
    const places = new Map(last.entries.map((entry, at) => [entry, at]));
    const pieces = sorted.map((entry) => {
      const at = places.get(entry);
      return at === undefined ? (anew.get(entries.keyOf(entry)) ?? new Uint8Array()) : entryAt(last, at);
    });
    const begin = patch.before.length;
    const bytes = Buffer.concat([patch.before, ...pieces, patch.after]);
    const lengths = pieces.map((piece) => piece.length);
    return { entries: sorted, begin, ends: endsOf(begin, lengths), bytes };
  }
}

/** Entries that are not among the last. */
function changedFrom(last: readonly unknown[], now: readonly unknown[]): unknown[] {
  const known = new Set(last);
  return now.filter((entry) => !known.has(entry));
}
