import type { SqlParams } from '../database/sql-params.ts';

/** Numbers of sets as a bit each, from `first` on: in SQL a look at one bit costs less than a join. */
export interface SetBits {
  readonly first: number;
  readonly bits: Uint8Array;
}

export const NO_BITS: SetBits = { first: 0, bits: new Uint8Array(0) };

/** These bits, and those of more sets. */
export function withBits(before: SetBits, ids: readonly number[]): SetBits {
  if (ids.length === 0) return before;
  let [first, last] =
    before.bits.length === 0 ? [Infinity, -Infinity] : [before.first, before.first + before.bits.length * 8 - 1];
  for (const id of ids) [first, last] = [Math.min(first, id), Math.max(last, id)];
  // Whole bytes below, so that what is known moves by bytes.
  const start = before.bits.length === 0 ? first : before.first - 8 * Math.ceil((before.first - first) / 8);
  const bits = new Uint8Array(Math.ceil((last - start + 1) / 8));
  bits.set(before.bits, before.bits.length === 0 ? 0 : (before.first - start) / 8);
  for (const id of ids) bits[(id - start) >> 3] = (bits[(id - start) >> 3] ?? 0) | (1 << ((id - start) & 7));
  return { first: start, bits };
}

export function hasBit({ first, bits }: SetBits, id: number): boolean {
  const at = id - first;
  return at >= 0 && (((bits[at >> 3] ?? 0) >> (at & 7)) & 1) === 1;
}

/** Text: 1 where the set `id` (SQL) has its bit, else 0; also for NULL and for what is not in `bits`. */
export function bitSql({ first, bits }: SetBits, id: string, params: SqlParams): string {
  const from = params.add(first);
  const last = params.add(first + bits.length * 8 - 1);
  const bytes = params.add(Buffer.from(bits.buffer, bits.byteOffset, bits.byteLength));
  return `(CASE WHEN ${id} BETWEEN ${from}::int AND ${last}::int THEN get_bit(${bytes}::bytea, (${id} - ${from}::int)::bigint) ELSE 0 END)`;
}

/** The same with a byte a set, of which each bit says something: for facets that have few sets. */
export function byteSql(bytesOf: ReadonlyMap<number, number>, id: string, params: SqlParams): string {
  if (bytesOf.size === 0) return '0';
  const ids = [...bytesOf.keys()];
  const first = ids.reduce((least, each) => Math.min(least, each), Infinity);
  const last = ids.reduce((most, each) => Math.max(most, each), -Infinity);
  const bytes = Buffer.alloc(last - first + 1);
  for (const [each, byte] of bytesOf) bytes[each - first] = byte;
  const from = params.add(first);
  const to = params.add(last);
  return `(CASE WHEN ${id} BETWEEN ${from}::int AND ${to}::int THEN get_byte(${params.add(bytes)}::bytea, ${id} - ${from}::int) ELSE 0 END)`;
}
