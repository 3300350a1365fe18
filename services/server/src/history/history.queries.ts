import type { Sql } from '../database/database.service.ts';
import type { SeenAround } from './past-standing.ts';
import type { PastEvent } from './rewind.ts';

/** Postgres's time, and the earliest time that events and connections are kept for. */
export async function keptSince(
  sql: Sql,
  retentionDays: number,
): Promise<{ readonly now: Date; readonly since: Date }> {
  const [row] = await sql.query<{ now: Date; since: Date }>(
    'SELECT now() AS now, now() - make_interval(days => $1) AS since',
    [retentionDays],
  );
  if (row === undefined) throw new Error('SELECT without a row');
  return row;
}

export interface HostNow {
  readonly enrolledAt: Date;
  /** Set of what it has loaded; null: never reported. */
  readonly loaded: number | null;
}

export async function hostNow(sql: Sql, hostId: string): Promise<HostNow | undefined> {
  const rows = await sql.query<HostNow>(
    `SELECT h.enrolled_at AS "enrolledAt", i.loaded
       FROM host h LEFT JOIN host_inventory i ON i.host_id = h.id WHERE h.id = $1`,
    [hostId],
  );
  return rows[0];
}

/** Sub-select of a host's connections (`seen_from`, `seen_until`), the present one included; `host` names its id. */
export function connectionsOf(host: string): string {
  return `(SELECT s.seen_from, s.seen_until FROM host_seen s WHERE s.host_id = ${host}
           UNION ALL
           SELECT p.connected_at, CASE WHEN p.live THEN 'infinity' ELSE p.seen_at END FROM session_presence p WHERE p.host_id = ${host})`;
}

export async function seenAround(sql: Sql, hostId: string, at: Date): Promise<SeenAround> {
  const [row] = await sql.query<SeenAround>(
    `SELECT coalesce(bool_or(c.seen_from <= $2 AND c.seen_until >= $2), false) AS within,
            max(c.seen_until) FILTER (WHERE c.seen_until < $2) AS "lastBefore",
            min(c.seen_from) FILTER (WHERE c.seen_from > $2) AS "firstAfter"
       FROM ${connectionsOf('$1')} c`,
    [hostId, at],
  );
  if (row === undefined) throw new Error('an aggregate without a row');
  return row;
}

/** Everything that came, went or changed on a host after a time, the latest first. Index kmod_event_host_id_at_idx on each partition since then. */
export function eventsSince(sql: Sql, hostId: string, at: Date): Promise<PastEvent[]> {
  return sql.query<PastEvent>(
    `SELECT k.name AS kmod, e.kind, e.detail FROM kmod_event e JOIN kmod k ON k.id = e.kmod_id
      WHERE e.host_id = $1 AND e.at > $2 ORDER BY e.at DESC, e.id DESC`,
    [hostId, at],
  );
}
