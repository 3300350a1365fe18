import type { Sql } from '../database/database.service.ts';

/** Wakes whoever LISTENs on the channel, at the commit. */
export async function notify(sql: Sql, channel: string, text: string): Promise<void> {
  await sql.query('SELECT pg_notify($1, $2)', [channel, text]);
}
