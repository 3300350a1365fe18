import type { Sql } from '../database/database.service.ts';

/** The replica that holds each host's live session; null for a host that is silent. */
export interface HeldHost {
  readonly id: string;
  readonly name: string;
  readonly replica_id: string | null;
  readonly last_seen_at: Date | null;
}

/** In the order of their names. */
export function selectHeldHosts(sql: Sql, hostIds: readonly string[]): Promise<HeldHost[]> {
  return sql.query<HeldHost>(
    `SELECT h.id, h.name, CASE WHEN p.live THEN p.replica_id END AS replica_id, coalesce(p.seen_at, h.last_seen_at) AS last_seen_at
       FROM host h LEFT JOIN session_presence p ON p.host_id = h.id
      WHERE h.id = ANY ($1::uuid[]) AND h.retired_at IS NULL
      ORDER BY h.name, h.id`,
    [hostIds],
  );
}

/** The transaction's time: everything it reads is as of then. */
export async function selectTime(sql: Sql): Promise<Date> {
  const rows = await sql.query<{ now: Date }>('SELECT now() AS now');
  if (rows[0] === undefined) throw new Error('Postgres did not say what time it is');
  return rows[0].now;
}
