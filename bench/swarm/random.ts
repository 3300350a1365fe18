/** Numbers in [0, 1). */
export type Random = () => number;

export function pick<T>(random: Random, from: readonly T[]): T {
  const one = from[Math.floor(random() * from.length)];
  if (one === undefined) throw new Error('there is nothing to pick from');
  return one;
}

/** Index of a weight, the heavier the likelier. */
export function weighted(random: Random, weights: readonly number[]): number {
  let at = random() * weights.reduce((sum, weight) => sum + weight, 0);
  const found = weights.findIndex((weight) => (at -= weight) < 0);
  return found < 0 ? weights.length - 1 : found;
}
