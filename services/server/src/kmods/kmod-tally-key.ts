import type { CursorPosition } from '../paging/cursor-codec.ts';
import type { KmodTally } from './kmod-hosts.queries.ts';

/** The counts of a tally, in the order in which cursors carry them. */
const COUNTS = [
  'total',
  'fresh',
  'stale',
  'silent',
  'incapable',
  'selectorUnknown',
  'loaded',
  'builtin',
  'onDisk',
  'absent',
  'lastLoaded',
  'lastBuiltin',
  'lastOnDisk',
  'lastAbsent',
  'blockedNo',
  'blockedPartly',
  'blockedKernel',
] as const satisfies readonly (keyof KmodTally)[];

/** Name and id of the last row come before the counts in a cursor. */
const BEFORE = 2;

/** What a cursor carries on behind (name, id). */
export function tallyToKey(tally: KmodTally): number[] {
  return COUNTS.map((count) => tally[count]);
}

/** Undefined for a cursor of a version that carried none. */
export function tallyFromKey({ key, asOfMs }: CursorPosition): KmodTally | undefined {
  const numbers = key.slice(BEFORE);
  if (numbers.length !== COUNTS.length) return undefined;
  const counts = Object.fromEntries(COUNTS.map((count, at) => [count, Number(numbers[at])]));
  return { ...(counts as Record<(typeof COUNTS)[number], number>), asOf: new Date(asOfMs) };
}
