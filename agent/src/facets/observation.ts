import type { FacetValues, KnownFacet } from '@modfleet/proto';

/** What one look at a facet gave. `incapable` always says why, in words for people: an empty value would look like an answer. */
export type Observation<F extends KnownFacet> =
  { readonly kind: 'value'; readonly value: FacetValues[F] } | { readonly kind: 'incapable'; readonly reason: string };

/** Runs `work` over `items`, at most `width` at a time, keeping their order: sysfs in bulk must not take every thread of the pool. */
export async function mapLimited<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) {
      const item = items[index];
      if (item !== undefined) results[index] = await work(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
  return results;
}

/** How many kmods or devices are read side by side: libuv has four threads, and a file that hangs must leave some for the others. */
export const READ_WIDTH = 2;
