import { FacetDelta } from '../gen/modfleet/types/v1/facet.ts';
import { FacetDeltaError } from './facet-errors.ts';
import { decodeFacet, encodeFacet, shapeOf } from './facet-encoding.ts';
import { FACET_WORDS } from './facet-values.ts';
import type { FacetShape, FacetValues, KnownFacet } from './facet-values.ts';

/** What changed between two values of a facet, still without the digest of its base. */
export type FacetChange = Pick<FacetDelta, 'removed' | 'upserted'>;

/**
 * The change that turns `base` into `next` (canonical bytes both): keys removed, entries added or replaced. Undefined for facets that travel whole
 * (`config`).
 */
export function diffFacets<F extends KnownFacet>(
  facet: F,
  base: Uint8Array,
  next: Uint8Array,
): FacetChange | undefined {
  return diffWith(facet, shapeOf(facet), base, next);
}

/**
 * Canonical bytes of `base` with a change applied. The caller compares the digest of the result with the one that was announced: that, not this
 * function, is the proof.
 *
 * @throws FacetDeltaError when the facet travels whole, or the change removes what is not there or both removes and adds a key.
 * @throws FacetEncodingError when base or change are not canonical.
 */
export function applyDelta<F extends KnownFacet>(facet: F, base: Uint8Array, change: FacetChange): Uint8Array {
  return applyWith(facet, shapeOf(facet), base, change);
}

function diffWith<F extends KnownFacet, E>(
  facet: F,
  shape: FacetShape<FacetValues[F], E>,
  base: Uint8Array,
  next: Uint8Array,
): FacetChange | undefined {
  if (shape.entries === undefined) return undefined;
  const before = entryBytes(facet, shape, decodeFacet(facet, base));
  const nextValue = decodeFacet(facet, next);
  const after = entryBytes(facet, shape, nextValue);
  const { of, with: withEntries, keyOf } = shape.entries;
  const upserted = of(nextValue).filter((entry) => {
    const old = before.get(keyOf(entry));
    const now = after.get(keyOf(entry));
    return old === undefined || now === undefined || Buffer.compare(old, now) !== 0;
  });
  return {
    removed: [...before.keys()].filter((key) => !after.has(key)),
    upserted: Buffer.from(encodeFacet(facet, withEntries(nextValue, upserted))),
  };
}

function applyWith<F extends KnownFacet, E>(
  facet: F,
  shape: FacetShape<FacetValues[F], E>,
  base: Uint8Array,
  change: FacetChange,
): Uint8Array {
  if (shape.entries === undefined)
    throw new FacetDeltaError(`facet ${FACET_WORDS[facet]} travels whole, never as a change`);
  const { of, with: withEntries, keyOf } = shape.entries;
  const merged = new Map(of(decodeFacet(facet, base)).map((entry) => [keyOf(entry), entry]));
  for (const key of change.removed) {
    if (!merged.delete(key))
      throw new FacetDeltaError(
        `change of facet ${FACET_WORDS[facet]} removes ${JSON.stringify(key)}, which is not there`,
      );
  }
  const removed = new Set(change.removed);
  const carrier = decodeFacet(facet, change.upserted);
  for (const entry of of(carrier)) {
    const key = keyOf(entry);
    if (removed.has(key))
      throw new FacetDeltaError(`change of facet ${FACET_WORDS[facet]} both removes and adds ${JSON.stringify(key)}`);
    merged.set(key, entry);
  }
  // What is no entry (the kernel release of `available`) comes from the change, which carries it whole.
  return encodeFacet(facet, withEntries(carrier, [...merged.values()]));
}

function entryBytes<F extends KnownFacet, E>(
  facet: F,
  shape: FacetShape<FacetValues[F], E>,
  value: FacetValues[F],
): Map<string, Uint8Array> {
  const { entries } = shape;
  if (entries === undefined) return new Map();
  return new Map(
    entries.of(value).map((entry) => [entries.keyOf(entry), encodeFacet(facet, entries.with(value, [entry]))]),
  );
}
