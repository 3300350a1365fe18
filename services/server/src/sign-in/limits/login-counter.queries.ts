import type { Sql } from '../../database/database.service.ts';
import type { Counter } from './login-limit.rules.ts';

/**
 * Holds the counters until the transaction ends, in one order for everybody, so that two who hold some in common never wait for each other.
 *
 * @returns them in the order of `keys`, and Postgres's time in milliseconds.
 */
export async function lockCounters(
  sql: Sql,
  keys: readonly Buffer[],
): Promise<{ readonly counters: Counter[]; readonly now: number }> {
  await sql.query(
    `INSERT INTO login_counter (key) SELECT key FROM unnest($1::bytea[]) AS key ORDER BY key ON CONFLICT (key) DO NOTHING`,
    [keys],
  );
  const rows = await sql.query<{ key: Buffer; failures: number; last_at: Date; blocked_until: Date; now: Date }>(
    `SELECT key, failures, last_at, blocked_until, clock_timestamp() AS now FROM login_counter WHERE key = ANY($1::bytea[]) ORDER BY key FOR UPDATE`,
    [keys],
  );
  const byKey = new Map(rows.map((row) => [row.key.toString('hex'), row]));
  return {
    now: rows[0]?.now.getTime() ?? 0,
    counters: keys.map((key) => {
      const row = byKey.get(key.toString('hex'));
      if (row === undefined) throw new Error('a counter that was just made is not there');
      return { failures: row.failures, lastAt: row.last_at.getTime(), blockedUntil: row.blocked_until.getTime() };
    }),
  };
}

export async function storeCounter(sql: Sql, key: Buffer, counter: Counter): Promise<void> {
  await sql.query('UPDATE login_counter SET failures = $2, last_at = $3, blocked_until = $4 WHERE key = $1', [
    key,
    counter.failures,
    new Date(counter.lastAt),
    new Date(counter.blockedUntil),
  ]);
}

/** A day without a failure: whatever it held is nearly forgotten, and the longest wait is over. */
export async function dropOldCounters(sql: Sql): Promise<void> {
  await sql.query(`DELETE FROM login_counter WHERE last_at < now() - interval '1 day'`);
}
