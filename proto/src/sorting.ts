/** Order of two texts by UTF-16 code unit: no locale, the same on every machine. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** A sorted copy of `items`. */
export function sortedBy<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  return [...items].sort((a, b) => compareText(keyOf(a), keyOf(b)));
}

/** A sorted copy without repetitions: the canonical form of a set of texts. */
export function sortedSet(items: readonly string[]): string[] {
  return [...new Set(items)].sort(compareText);
}

/** The first key that does not come strictly after the one before it; undefined when all do. */
export function firstOutOfOrder<T>(items: readonly T[], keyOf: (item: T) => string): string | undefined {
  let previous: string | undefined;
  for (const item of items) {
    const key = keyOf(item);
    if (previous !== undefined && compareText(previous, key) >= 0) return key;
    previous = key;
  }
  return undefined;
}
