import type { Sql } from '../database/database.service.ts';

/** Hosts whose standing changed. */
export interface StandingChange {
  readonly id: string;
  readonly standing: 'retired' | 'revoked' | 'quarantined';
}

/**
 * Hosts that were retired, revoked or quarantined since `since` (Postgres's clock), over the partial indexes of those few. `now`: what to give the next
 * time. What a transaction takes to commit after it took its time is allowed for: `commitMs` earlier is looked at each time.
 *
 * @param since null: now.
 */
export async function changesOfStanding(
  sql: Sql,
  since: Date | null,
  commitMs: number,
): Promise<{ readonly now: Date; readonly changes: readonly StandingChange[] }> {
  const [clock] = await sql.query<{ now: Date }>('SELECT clock_timestamp() AS now');
  if (clock === undefined) throw new Error('SELECT without a row');
  const from = new Date((since ?? clock.now).getTime() - commitMs);
  const changes = await sql.query<StandingChange>(
    `SELECT id, CASE WHEN retired_at IS NOT NULL THEN 'retired' WHEN revoked_at IS NOT NULL THEN 'revoked' ELSE 'quarantined' END AS standing
       FROM host WHERE retired_at >= $1 OR revoked_at >= $1 OR quarantined_at >= $1`,
    [from],
  );
  return { now: clock.now, changes };
}

/** Which of these hosts are not in quarantine. */
export async function released(sql: Sql, hostIds: readonly string[]): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    'SELECT id FROM host WHERE id = ANY ($1::uuid[]) AND quarantined_at IS NULL',
    [hostIds],
  );
  return rows.map((row) => row.id);
}
