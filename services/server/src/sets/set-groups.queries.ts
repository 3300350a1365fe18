import type { SetGroup } from './loaded-sets.ts';

const GROUP_BYTES = 12;

/** Text: a group as twelve bytes, to be strung together: 30,000 rows of three numbers would cost more to receive than everything else. */
export function groupBytes(set: string, group: string, n: string): string {
  return `int4send(${set}) || int4send(${group}) || int4send(${n})`;
}

export function groupsFrom(bytes: Buffer | null): SetGroup[] {
  const groups: SetGroup[] = [];
  for (let at = 0; at < (bytes?.length ?? 0); at += GROUP_BYTES)
    groups.push({
      set: bytes?.readInt32BE(at) ?? 0,
      group: bytes?.readInt32BE(at + 4) ?? 0,
      n: bytes?.readInt32BE(at + 8) ?? 0,
    });
  return groups;
}
