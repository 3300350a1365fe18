/**
 * Where a host stands, as one number: hosts that stand alike are counted together, and what the number means is decided once for some dozens of groups instead of for
 * each of 100,000 hosts. It is made of the narrow row alone (host_inventory, migration 0020); who lives is decided with the groups, by the replica's number.
 *
 *   bits 0 to 17   `packed`: what its session vouches for and whether it is open, quarantine, revocation; from 10 on whether loaded, available, devices and
 *                  config cannot be reported, from 14 on whether they have been
 *   bits 18 to 31  free for whoever asks
 *   bits 32 on     the replica
 */
export const KEYED_FACETS = ['loaded', 'available', 'devices', 'config'] as const;
export type KeyedFacet = (typeof KEYED_FACETS)[number];

/** Facet's bit in `standing`: 1 << number. */
const VOUCHED = { loaded: 1 << 1, available: 1 << 3, devices: 1 << 4, config: 1 << 5 } as const;
const CANNOT_FROM = 10;
const HAS_FROM = 14;
/** First bit that is free. */
export const FREE_FROM = 18;

/** Of `host_standing h`: what a key is made of, and the sets. */
export const KEY_COLUMNS = ['h.packed', 'h.replica', ...KEYED_FACETS.map((facet) => `h.${facet}`)];

/** Text of the key over these columns of `h`. @param more SQL of integers that are put into the free bits. */
export function keySql(more: readonly string[] = []): string {
  return `((${['h.packed', ...more].join(' | ')})::bigint | (h.replica::bigint << 32))`;
}

/**
 * Text: `key` and `n`, how many of the rows of `hosts` (SQL that gives {@link KEY_COLUMNS} as `h`) have it. OFFSET keeps the key out of the planner's sight: it takes what a key
 * is made of for its number of values, and makes a table for tens of thousands of groups where there are a dozen (a fifth more CPU).
 */
export function countedByKey(hosts: string, more: readonly string[] = []): string {
  return `SELECT key, count(*) AS n FROM (SELECT ${keySql(more)} AS key FROM ${hosts} OFFSET 0) k GROUP BY 1`;
}

/** Condition that a bit of `key` is set. */
export function bitOfKey(bit: number): string {
  return `((key >> ${bit}) & 1) = 1`;
}

export function hasOfKey(facet: KeyedFacet): string {
  return bitOfKey(HAS_FROM + KEYED_FACETS.indexOf(facet));
}

/** To be joined to what has a `key`: gives `r`. */
export const REPLICA_OF_KEY = 'LEFT JOIN replica r ON r.number = (key >> 32)::int';

/** Coverage of a facet, over `key` and `r`: the same as in the view host_standing; a test holds both together. */
export function coverageOfKey(facet: KeyedFacet): string {
  const at = KEYED_FACETS.indexOf(facet);
  return `(CASE WHEN (key & 768) <> 0 THEN 'incapable'
                WHEN ((key & 128) <> 0 AND r.beat_at > now() - interval '10 seconds') IS NOT TRUE THEN 'silent'
                WHEN (key & ${VOUCHED[facet]}) = 0 THEN 'stale'
                WHEN ${bitOfKey(CANNOT_FROM + at)} THEN 'incapable'
                WHEN NOT ${bitOfKey(HAS_FROM + at)} THEN 'stale'
                ELSE 'fresh' END)`;
}
