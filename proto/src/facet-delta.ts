import { FacetDeltaError } from './facet-errors.ts';
import { shapeOf } from './facet-encoding.ts';
import { bytesOfFrames, differingFrames, type Frame } from './facet-frames.ts';
import { changedParts, type FacetChange, partsOf } from './facet-parts.ts';
import { FACET_WORDS, type KnownFacet } from './facet-values.ts';

/**
 * The change that turns `base` into `next` (canonical bytes both): keys removed, entries added or replaced. Undefined for facets that travel whole
 * (`config`).
 */
export function diffFacets(facet: KnownFacet, base: Uint8Array, next: Uint8Array): FacetChange | undefined {
  if (shapeOf(facet).entries === undefined) return undefined;
  const { base: frames, next: after } = differingFrames(facet, base, next);
  const before = new Map(frames.map(({ key, bytes }) => [key, bytes]));
  const removed = new Set(before.keys());
  const upserted: Frame[] = [];
  for (const frame of after.entries) {
    removed.delete(frame.key);
    const old = before.get(frame.key);
    if (old === undefined || Buffer.compare(old, frame.bytes) !== 0) upserted.push(frame);
  }
  return { removed: [...removed], upserted: Buffer.from(bytesOfFrames({ ...after, entries: upserted })) };
}

/**
 * Canonical bytes of `base` with a change applied.
 *
 * @throws FacetDeltaError when the facet travels whole; as {@link changedParts}.
 * @throws FacetEncodingError when base or change are not canonical.
 */
export function applyDelta(facet: KnownFacet, base: Uint8Array, change: FacetChange): Uint8Array {
  if (shapeOf(facet).entries === undefined)
    throw new FacetDeltaError(`facet ${FACET_WORDS[facet]} travels whole, never as a change`);
  return changedParts(facet, partsOf(facet, base), change).parts.bytes;
}
