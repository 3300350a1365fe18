import type { Sql } from '../database/database.service.ts';

/** API tokens of an account that are good now, and its grants that this hand gave and that stand. */
export async function countOtherWays(
  sql: Sql,
  accountId: string,
  grantedBy: string,
): Promise<{ readonly apiTokens: number; readonly groupGrants: number }> {
  const [row] = await sql.query<{ apiTokens: number; groupGrants: number }>(
    `SELECT (SELECT count(*)::int FROM api_token
              WHERE account_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())) AS "apiTokens",
            (SELECT count(*)::int FROM access_grant WHERE account_id = $1 AND created_by = $2 AND revoked_at IS NULL AND ends_at > now()) AS "groupGrants"`,
    [accountId, grantedBy],
  );
  return row ?? { apiTokens: 0, groupGrants: 0 };
}
