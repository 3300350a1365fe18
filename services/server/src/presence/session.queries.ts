import type { Sql } from '../database/database.service.ts';

/** The newest session of a host. */
export interface SessionRow {
  readonly sessionNo: number;
  readonly replicaId: string;
  readonly bootId: string;
  readonly address: string;
  /** Not ended, and its replica beat within 10 s. */
  readonly live: boolean;
}

/** The newest session of each of these hosts that had one. */
export async function currentSessions(sql: Sql, hostIds: readonly string[]): Promise<ReadonlyMap<string, SessionRow>> {
  const rows = await sql.query<SessionRow & { hostId: string }>(
    `SELECT host_id AS "hostId", session_no AS "sessionNo", replica_id AS "replicaId", boot_id AS "bootId", address, live
       FROM session_presence WHERE host_id = ANY ($1::uuid[])`,
    [hostIds],
  );
  return new Map(rows.map(({ hostId, ...row }) => [hostId, row]));
}

/** Number of the newest session of each of these hosts that had one; no newer one opens before the transaction ends. */
export async function shareNewestSessions(sql: Sql, hostIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
  if (hostIds.length === 0) return new Map();
  const rows = await sql.query<{ hostId: string; sessionNo: number }>(
    'SELECT host_id AS "hostId", session_no AS "sessionNo" FROM host_session WHERE host_id = ANY ($1::uuid[]) ORDER BY host_id FOR SHARE',
    [hostIds],
  );
  return new Map(rows.map(({ hostId, sessionNo }) => [hostId, sessionNo]));
}

export interface NewSession {
  readonly hostId: string;
  readonly bootId: string;
  readonly address: string;
  /** Serial number of the certificate that is used for it; absent: nothing is concluded from it. */
  readonly certificateUsed?: string | undefined;
  /** What the session before vouches for stands until this one says its own: that one lives, and the host has not rebooted. Absent: it does not. */
  readonly continues?: boolean;
}

/**
 * Makes these the newest sessions of their hosts, of which no two are of one host. Numbers come from one sequence, so "newer" holds across replicas.
 *
 * @returns the numbers, by host.
 */
export async function openSessions(
  sql: Sql,
  replicaId: string,
  sessions: readonly NewSession[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await sql.query<{ hostId: string; sessionNo: number }>(
    `WITH given AS MATERIALIZED (
       SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS g (host_id, boot_id, address, certificate_used)),
      seen AS (
        UPDATE host h SET last_seen_at = now(), last_boot_id = g.boot_id, last_address = g.address,
                          certificate_used = coalesce(g.certificate_used, h.certificate_used)
          FROM given g WHERE h.id = g.host_id)
     INSERT INTO host_session (host_id, session_no, replica_id, boot_id, address, vouched)
     SELECT host_id, nextval('host_session_no_seq'), $5, boot_id, address, 0 FROM given ORDER BY host_id
     ON CONFLICT (host_id) DO UPDATE SET session_no = excluded.session_no, replica_id = excluded.replica_id, boot_id = excluded.boot_id,
       address = excluded.address, vouched = CASE WHEN excluded.host_id = ANY ($6::uuid[]) THEN host_session.vouched ELSE 0 END,
       connected_at = now(), disconnected_at = NULL
     RETURNING host_id AS "hostId", session_no AS "sessionNo"`,
    [
      sessions.map((session) => session.hostId),
      sessions.map((session) => session.bootId),
      sessions.map((session) => session.address),
      sessions.map((session) => session.certificateUsed ?? null),
      replicaId,
      sessions.filter((session) => session.continues === true).map((session) => session.hostId),
    ],
  );
  return new Map(rows.map(({ hostId, sessionNo }) => [hostId, sessionNo]));
}

/** Locks the sessions of hosts, then their narrow rows, each in order: before anything of them is written, and after the hosts (migration 0020). */
export async function lockSessions(sql: Sql, hostIds: readonly string[]): Promise<void> {
  if (hostIds.length === 0) return;
  await sql.query('SELECT 1 FROM host_session WHERE host_id = ANY ($1::uuid[]) ORDER BY host_id FOR NO KEY UPDATE', [
    hostIds,
  ]);
  await lockNarrowRows(sql, hostIds);
}

/** Locks the narrow rows of hosts, in order: whoever writes several, also through triggers, does it first. */
export async function lockNarrowRows(sql: Sql, hostIds: readonly string[]): Promise<void> {
  await sql.query('SELECT 1 FROM host_inventory WHERE host_id = ANY ($1::uuid[]) ORDER BY host_id FOR NO KEY UPDATE', [
    hostIds,
  ]);
}

/** CTE `narrow`: the narrow rows of the hosts in `held` (host_id), locked in order. */
export const LOCKED_NARROW = `narrow AS MATERIALIZED (
       SELECT i.host_id FROM host_inventory i WHERE i.host_id IN (SELECT host_id FROM held) ORDER BY i.host_id FOR NO KEY UPDATE)`;

/** Locks several hosts as {@link lockHost} does one, in order. Before anything of their sessions is locked: who opens one takes the host first. */
export async function lockHosts(sql: Sql, hostIds: readonly string[]): Promise<void> {
  await sql.query('SELECT 1 FROM host WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE', [hostIds]);
}

/** Ends sessions, unless a newer one took their place: the late end of an older one changes nothing. Their hosts are locked. */
export async function closeSessions(
  sql: Sql,
  sessions: readonly { readonly hostId: string; readonly sessionNo: number }[],
): Promise<void> {
  await sql.query(
    `WITH gone AS (
       UPDATE host_session s SET disconnected_at = now(), vouched = 0
         FROM unnest($1::uuid[], $2::bigint[]) AS g (host_id, session_no)
        WHERE s.host_id = g.host_id AND s.session_no = g.session_no AND s.disconnected_at IS NULL
        RETURNING s.host_id)
     UPDATE host SET last_seen_at = now() FROM gone WHERE host.id = gone.host_id`,
    [sessions.map((session) => session.hostId), sessions.map((session) => session.sessionNo)],
  );
}
