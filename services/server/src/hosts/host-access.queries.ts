import type { Sql } from '../database/database.service.ts';

/** Undefined: it was revoked already; nothing is changed then. */
export async function revokeHost(sql: Sql, id: string, by: string, reason: string): Promise<Date | undefined> {
  const [row] = await sql.query<{ revokedAt: Date }>(
    `UPDATE host SET revoked_at = now(), revoked_by = $2, revoke_reason = $3 WHERE id = $1 AND revoked_at IS NULL RETURNING revoked_at AS "revokedAt"`,
    [id, by, reason],
  );
  return row?.revokedAt;
}

/** False: it was in no quarantine. Whichever certificate of the host is used next is taken for the current one. */
export async function releaseHost(sql: Sql, id: string): Promise<boolean> {
  const rows = await sql.query(
    `UPDATE host SET quarantined_at = NULL, quarantine_reason = NULL, certificate_used = '' WHERE id = $1 AND quarantined_at IS NOT NULL RETURNING id`,
    [id],
  );
  await sql.query('DELETE FROM host_sighting WHERE host_id = $1', [id]);
  return rows.length > 0;
}
