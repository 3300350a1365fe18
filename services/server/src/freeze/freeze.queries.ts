import type { Sql } from '../database/database.service.ts';

export interface FreezeRow {
  readonly frozen: boolean;
  readonly by: string | null;
  readonly reason: string | null;
  readonly at: Date | null;
}

export async function selectFreeze(sql: Sql): Promise<FreezeRow | undefined> {
  return (await sql.query<FreezeRow>('SELECT frozen, by, reason, at FROM fleet_freeze WHERE id = 1'))[0];
}

/**
 * Freezes; who froze first and when stays, the newest reason is shown. Waits for dispatches under way: they hold the row in share mode, so
 * once this has committed no dispatch commits until the thaw. The lock is taken in a statement of its own: the UPDATE would read the clock
 * before it waits, and `at` would lie before dispatches that it waited for.
 */
export async function updateFrozen(sql: Sql, by: string, reason: string): Promise<void> {
  await sql.query('SELECT 1 FROM fleet_freeze WHERE id = 1 FOR UPDATE');
  await sql.query(
    `UPDATE fleet_freeze SET
       by = CASE WHEN frozen THEN by ELSE $1 END,
       at = CASE WHEN frozen THEN at ELSE clock_timestamp() END,
       reason = $2, frozen = true, version = version + 1
     WHERE id = 1`,
    [by, reason],
  );
}

export async function updateThawed(sql: Sql): Promise<void> {
  await sql.query(
    `UPDATE fleet_freeze SET frozen = false, by = NULL, reason = NULL, at = NULL, version = version + 1 WHERE id = 1 AND frozen`,
  );
}
