/**
 * One function a statement: the rows that follow from what hosts said.
 *
 * LOCK ORDER (migration 0020): host, host_session, host_inventory; all rows that are needed of one before any of the next, each in the order of host ids: {@link
 * lockSessions} comes before everything here.
 */
import { Facet, FACET_WORDS, KNOWN_FACETS } from '@modfleet/proto';
import type { Sql } from '../database/database.service.ts';
import type { LoadedEntries } from './loaded-diff.ts';
import { isShared, SET_TABLES } from './set.queries.ts';

export interface FacetRow {
  readonly hostId: string;
  readonly sessionNo: number;
  readonly facet: number;
  /** Null: incapable. */
  readonly hex: string | null;
  readonly reason: string | null;
  /** Ms since it was observed. */
  readonly ageMs: number;
}

/** Facets with their columns in host_inventory: `loaded`, `loaded_reason`, `loaded_observed_at`. */
const FACETS = KNOWN_FACETS.map((facet) => [facet, FACET_WORDS[facet]] as const);

/**
 * Writes facets whose digest or reason changed, for sessions that are still the newest of their host. The answer says which hosts' sessions are.
 * One row a host, whichever of its facets are named here: those that are not stay. Rejected: one row a host and facet (500,000 rows for 100,000 hosts, joined
 * again in fours by every question); writing observed_at always (an idle host would cost a row version at each heartbeat). `loaded_received_at` moves only when
 * `loaded` itself says something else.
 */
export async function upsertFacets(sql: Sql, rows: readonly FacetRow[]): Promise<void> {
  const columns = FACETS.map(([, word]) => `${word}, ${word}_reason, ${word}_observed_at`);
  const values = FACETS.map(([facet]) => {
    const value = isShared(facet) ? `max(v.set_id)` : `(array_agg(decode(v.hex, 'hex'))`;
    return `${value} FILTER (WHERE v.facet = ${facet})${isShared(facet) ? '' : ')[1]'}, max(v.reason) FILTER (WHERE v.facet = ${facet}),
            max(now() - make_interval(secs => v.age_ms / 1000.0)) FILTER (WHERE v.facet = ${facet})`;
  });
  const sets = FACETS.flatMap(([facet]) =>
    isShared(facet)
      ? [`WHEN ${facet} THEN (SELECT s.id FROM ${SET_TABLES[facet]} s WHERE s.digest = decode(v.hex, 'hex'))`]
      : [],
  );
  const named = (word: string): string => `excluded.${word}_observed_at IS NOT NULL`;
  const kept = FACETS.flatMap(([, word]) =>
    [word, `${word}_reason`, `${word}_observed_at`].map(
      (column) => `${column} = CASE WHEN ${named(word)} THEN excluded.${column} ELSE i.${column} END`,
    ),
  );
  const changed = (word: string): string =>
    `(${named(word)} AND (i.${word}, i.${word}_reason, i.${word}_observed_at IS NULL) IS DISTINCT FROM (excluded.${word}, excluded.${word}_reason, false))`;
  kept.push(`loaded_received_at = CASE WHEN ${changed('loaded')} THEN now() ELSE i.loaded_received_at END`);
  await sql.query(
    `INSERT INTO host_inventory AS i (host_id, ${columns.join(', ')}, loaded_received_at)
     SELECT v.host_id, ${values.join(',\n            ')},
            CASE WHEN bool_or(v.facet = ${Facet.FACET_LOADED}) THEN now() END
       FROM (SELECT v.host_id, v.facet, v.hex, v.reason, v.age_ms, CASE v.facet ${sets.join(' ')} END AS set_id
               FROM unnest($1::uuid[], $2::bigint[], $3::smallint[], $4::text[], $5::text[], $6::float8[]) AS v (host_id, session_no, facet, hex, reason, age_ms)
               JOIN host_session s ON s.host_id = v.host_id AND s.session_no = v.session_no) v
      GROUP BY v.host_id ORDER BY v.host_id
     ON CONFLICT (host_id) DO UPDATE SET ${kept.join(', ')}
      WHERE ${FACETS.map(([, word]) => changed(word)).join(' OR ')}`,
    [
      rows.map((row) => row.hostId),
      rows.map((row) => row.sessionNo),
      rows.map((row) => row.facet),
      rows.map((row) => row.hex),
      rows.map((row) => row.reason),
      rows.map((row) => row.ageMs),
    ],
  );
}

/** The digest of `loaded` (hex) that is stored for each host, locked until the transaction ends. Hosts without one, or of a newer session, are left out. */
export function lockLoadedDigests(
  sql: Sql,
  hosts: readonly { readonly hostId: string; readonly sessionNo: number }[],
): Promise<{ hostId: string; hex: string | null }[]> {
  return sql.query(
    `SELECT f.host_id AS "hostId", encode(l.digest, 'hex') AS hex
       FROM host_inventory f
       LEFT JOIN loaded_set l ON l.id = f.loaded
       JOIN unnest($1::uuid[], $2::bigint[]) AS v (host_id, session_no) ON v.host_id = f.host_id
       JOIN host_session s ON s.host_id = v.host_id AND s.session_no = v.session_no
      WHERE f.loaded_observed_at IS NOT NULL ORDER BY f.host_id FOR UPDATE OF f`,
    [hosts.map((host) => host.hostId), hosts.map((host) => host.sessionNo)],
  );
}

export function selectLoadedEntries(
  sql: Sql,
  hexes: readonly string[],
): Promise<{ hex: string; entries: LoadedEntries }[]> {
  return sql.query(
    `SELECT encode(digest, 'hex') AS hex, loaded_entries(build_ids) AS entries FROM loaded_set WHERE digest = ANY (SELECT decode(unnest($1::text[]), 'hex'))`,
    [hexes],
  );
}

/** What a set holds, by name; undefined for a set that is gone. */
export async function entriesOfSet(sql: Sql, set: number): Promise<LoadedEntries | undefined> {
  const [row] = await sql.query<{ entries: LoadedEntries }>(
    'SELECT loaded_entries(build_ids) AS entries FROM loaded_set WHERE id = $1',
    [set],
  );
  return row?.entries;
}

/** Sets what is vouched for, of sessions that are still the newest. */
export async function updateVouched(
  sql: Sql,
  rows: readonly { readonly hostId: string; readonly sessionNo: number; readonly mask: number }[],
): Promise<void> {
  await sql.query(
    `UPDATE host_session s SET vouched = v.mask
       FROM unnest($1::uuid[], $2::bigint[], $3::int[]) AS v (host_id, session_no, mask)
      WHERE s.host_id = v.host_id AND s.session_no = v.session_no AND s.disconnected_at IS NULL AND s.vouched IS DISTINCT FROM v.mask`,
    [rows.map((row) => row.hostId), rows.map((row) => row.sessionNo), rows.map((row) => row.mask)],
  );
}

/** Writes when facets were last observed: when vouching for them ends, so that their age stays true. */
export async function updateObserved(
  sql: Sql,
  rows: readonly {
    readonly hostId: string;
    readonly sessionNo: number;
    readonly facet: number;
    readonly ageMs: number;
  }[],
): Promise<void> {
  const columns = FACETS.map(
    ([, word]) => `${word}_observed_at = CASE WHEN v.${word} IS NULL THEN i.${word}_observed_at
            ELSE greatest(i.${word}_observed_at, now() - make_interval(secs => v.${word} / 1000.0)) END`,
  );
  const ages = FACETS.map(([facet, word]) => `min(v.age_ms) FILTER (WHERE v.facet = ${facet}) AS ${word}`);
  await sql.query(
    `UPDATE host_inventory i SET ${columns.join(', ')}
       FROM (SELECT v.host_id, ${ages.join(', ')}
               FROM unnest($1::uuid[], $2::bigint[], $3::smallint[], $4::float8[]) AS v (host_id, session_no, facet, age_ms)
               JOIN host_session s ON s.host_id = v.host_id AND s.session_no = v.session_no
              GROUP BY v.host_id) v
      WHERE i.host_id = v.host_id`,
    [
      rows.map((row) => row.hostId),
      rows.map((row) => row.sessionNo),
      rows.map((row) => row.facet),
      rows.map((row) => row.ageMs),
    ],
  );
}
