import { FacetDelta } from '../gen/modfleet/types/v1/facet.ts';
import { FacetDeltaError } from './facet-errors.ts';
import { shapeOf } from './facet-encoding.ts';
import { bytesOfFrames, differingFrames, type Frame, framesOf } from './facet-frames.ts';
import { FACET_WORDS, type KnownFacet } from './facet-values.ts';
import { sortedBy } from './sorting.ts';

/** What changed between two values of a facet, still without the digest of its base. */
export type FacetChange = Pick<FacetDelta, 'removed' | 'upserted'>;

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
 * Canonical bytes of `base` with a change applied. The caller compares the digest of the result with the one that was announced: that, not this
 * function, is the proof.
 *
 * @throws FacetDeltaError when the facet travels whole, or the change removes what is not there or both removes and adds a key.
 * @throws FacetEncodingError when base or change are not canonical.
 */
export function applyDelta(facet: KnownFacet, base: Uint8Array, change: FacetChange): Uint8Array {
  const word = FACET_WORDS[facet];
  if (shapeOf(facet).entries === undefined) throw new FacetDeltaError(`facet ${word} travels whole, never as a change`);
  const merged = new Map(framesOf(facet, base).entries.map((frame) => [frame.key, frame]));
  for (const key of change.removed) {
    if (!merged.delete(key))
      throw new FacetDeltaError(`change of facet ${word} removes ${JSON.stringify(key)}, which is not there`);
  }
  const removed = new Set(change.removed);
  const carrier = framesOf(facet, change.upserted);
  for (const frame of carrier.entries) {
    if (removed.has(frame.key))
      throw new FacetDeltaError(`change of facet ${word} both removes and adds ${JSON.stringify(frame.key)}`);
    merged.set(frame.key, frame);
  }
  // What is no entry (the kernel release of `available`) comes from the change, which carries it whole.
  return bytesOfFrames({ ...carrier, entries: sortedBy([...merged.values()], ({ key }) => key) });
}
