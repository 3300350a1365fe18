import { IN_FLIGHT } from '../../actions/action.queries.ts';
import type { Sql } from '../../database/database.service.ts';

/** Which of these hosts have an action under way: sent, and neither ended nor given up. An open confirm window is part of one. */
export async function busyHosts(sql: Sql, hostIds: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await sql.query<{ host_id: string }>(
    `SELECT DISTINCT host_id FROM action WHERE host_id = ANY ($1::uuid[]) AND state IN ${IN_FLIGHT}`,
    [hostIds],
  );
  return new Set(rows.map((row) => row.host_id));
}
