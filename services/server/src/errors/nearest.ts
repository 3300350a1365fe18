const SHOWN = 3;

/** The names most like `wanted`, best first: within a third of its length in edits, or with it as a part. At most three. */
export function nearest(wanted: string, names: readonly string[]): string[] {
  const limit = Math.max(1, Math.floor(wanted.length / 3));
  return names
    .map((name) => ({
      name,
      distance: name.includes(wanted) && wanted.length >= 3 ? 0.5 : editDistance(wanted, name, limit),
    }))
    .filter(({ distance }) => distance <= limit)
    .sort((left, right) => left.distance - right.distance || (left.name < right.name ? -1 : 1))
    .slice(0, SHOWN)
    .map(({ name }) => name);
}

/** Edits from one to the other, two neighbours swapped being one (optimal string alignment); more than `limit` once it is known to be. */
function editDistance(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) > limit) return limit + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const substitution = (last[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1);
      const swapped =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      const swap = swapped ? (beforeLast[column - 2] ?? 0) + 1 : Infinity;
      current.push(Math.min(substitution, (last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, swap));
    }
    [beforeLast, last] = [last, current];
  }
  return last[right.length] ?? limit + 1;
}
