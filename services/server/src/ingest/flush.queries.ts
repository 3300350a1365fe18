/** One function a statement: the rows that follow from what hosts said. Hosts come sorted, so that replicas never wait in a circle. */
import type { Sql } from '../database/database.service.ts';
import type { LoadedEntries } from './loaded-diff.ts';

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

/**
 * Writes facets whose digest or reason changed, for sessions that are still the newest of their host. The answer says which hosts' sessions are.
 * Rejected: writing observed_at always (an idle host would cost five row versions at each heartbeat).
 */
export async function upsertFacets(sql: Sql, rows: readonly FacetRow[]): Promise<void> {
  await sql.query(
    `INSERT INTO host_facet (host_id, facet, digest, observed_at, incapable_reason)
     SELECT v.host_id, v.facet, decode(v.hex, 'hex'), now() - make_interval(secs => v.age_ms / 1000.0), v.reason
       FROM unnest($1::uuid[], $2::bigint[], $3::smallint[], $4::text[], $5::text[], $6::float8[]) AS v (host_id, session_no, facet, hex, reason, age_ms)
       JOIN host_session s ON s.host_id = v.host_id AND s.session_no = v.session_no
     ON CONFLICT (host_id, facet) DO UPDATE
        SET digest = excluded.digest, observed_at = excluded.observed_at, received_at = now(), incapable_reason = excluded.incapable_reason
      WHERE (host_facet.digest, host_facet.incapable_reason) IS DISTINCT FROM (excluded.digest, excluded.incapable_reason)`,
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
    `SELECT f.host_id AS "hostId", encode(f.digest, 'hex') AS hex
       FROM host_facet f
       JOIN unnest($1::uuid[], $2::bigint[]) AS v (host_id, session_no) ON v.host_id = f.host_id
       JOIN host_session s ON s.host_id = v.host_id AND s.session_no = v.session_no
      WHERE f.facet = 1 ORDER BY f.host_id FOR UPDATE OF f`,
    [hosts.map((host) => host.hostId), hosts.map((host) => host.sessionNo)],
  );
}

export function selectLoadedEntries(
  sql: Sql,
  hexes: readonly string[],
): Promise<{ hex: string; entries: LoadedEntries }[]> {
  return sql.query(
    `SELECT encode(digest, 'hex') AS hex, entries FROM loaded_set WHERE digest = ANY (SELECT decode(unnest($1::text[]), 'hex'))`,
    [hexes],
  );
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
  await sql.query(
    `UPDATE host_facet f SET observed_at = greatest(f.observed_at, now() - make_interval(secs => v.age_ms / 1000.0))
       FROM unnest($1::uuid[], $2::bigint[], $3::smallint[], $4::float8[]) AS v (host_id, session_no, facet, age_ms)
       JOIN host_session s ON s.host_id = v.host_id AND s.session_no = v.session_no
      WHERE f.host_id = v.host_id AND f.facet = v.facet`,
    [
      rows.map((row) => row.hostId),
      rows.map((row) => row.sessionNo),
      rows.map((row) => row.facet),
      rows.map((row) => row.ageMs),
    ],
  );
}
