import type { Sql } from '../database/database.service.ts';
import { type GrantRow, MAPPED_BY } from './access.rows.ts';

/** Of a grant `g`, by Postgres's clock. One that a group gave has an end, or it counts for nothing (migration 0013). */
export const GRANT_ENDED = `coalesce(g.ends_at <= now(), g.created_by = '${MAPPED_BY}')`;

const COLUMNS = `g.id, g.account_id, a.name AS account_name, g.role, g.selector, g.created_by, g.created_at, g.revoked_at, g.revoked_by, g.ends_at,
  ${GRANT_ENDED} AS ended, g.seal`;
const FROM = 'FROM access_grant g JOIN account a ON a.id = g.account_id';

export async function insertGrant(
  sql: Sql,
  grant: Pick<GrantRow, 'id' | 'account_id' | 'role' | 'selector' | 'created_by' | 'ends_at' | 'seal'>,
): Promise<void> {
  await sql.query(
    'INSERT INTO access_grant (id, account_id, role, selector, created_by, ends_at, seal) VALUES ($1, $2, $3, $4, $5, $6, $7)',
    [grant.id, grant.account_id, grant.role, grant.selector, grant.created_by, grant.ends_at, grant.seal],
  );
}

export interface GrantFilter {
  readonly accountId: string | null;
  readonly includeRevoked: boolean;
}

/** By account name, oldest first, after `after`. Every account has a handful: paged in memory would do, and this bounds it. */
export function listGrants(
  sql: Sql,
  filter: GrantFilter,
  limit: number,
  after: { readonly accountName: string; readonly id: string } | null,
): Promise<GrantRow[]> {
  return sql.query<GrantRow>(
    `SELECT ${COLUMNS} ${FROM}
      WHERE ($1::uuid IS NULL OR g.account_id = $1) AND ($2 OR (g.revoked_at IS NULL AND NOT ${GRANT_ENDED})) AND ($3::text IS NULL OR (a.name, g.id) > ($3, $4::uuid))
      ORDER BY a.name, g.id LIMIT $5`,
    [filter.accountId, filter.includeRevoked, after?.accountName ?? null, after?.id ?? null, limit],
  );
}

export async function lockGrant(sql: Sql, id: string): Promise<GrantRow | undefined> {
  return (await sql.query<GrantRow>(`SELECT ${COLUMNS} ${FROM} WHERE g.id = $1 FOR UPDATE OF g`, [id]))[0];
}

export async function updateGrantRevoked(
  sql: Sql,
  grant: Pick<GrantRow, 'id' | 'revoked_at' | 'revoked_by' | 'seal'>,
): Promise<void> {
  await sql.query('UPDATE access_grant SET revoked_at = $2, revoked_by = $3, seal = $4 WHERE id = $1', [
    grant.id,
    grant.revoked_at,
    grant.revoked_by,
    grant.seal,
  ]);
}

export async function updateGrantEnd(sql: Sql, grant: Pick<GrantRow, 'id' | 'ends_at' | 'seal'>): Promise<void> {
  await sql.query('UPDATE access_grant SET ends_at = $2, seal = $3 WHERE id = $1', [
    grant.id,
    grant.ends_at,
    grant.seal,
  ]);
}

/** Grants that groups gave and nobody took back, also those that have ended. @param accountId null: of all accounts. */
export function lockMappedGrants(sql: Sql, accountId: string | null): Promise<GrantRow[]> {
  return sql.query<GrantRow>(
    `SELECT ${COLUMNS} ${FROM} WHERE g.created_by = $2 AND g.revoked_at IS NULL AND ($1::uuid IS NULL OR g.account_id = $1)
      ORDER BY g.id FOR UPDATE OF g`,
    [accountId, MAPPED_BY],
  );
}

/** Grants of role admin over the whole fleet that stand, with their accounts: candidates for the last admin. */
export function fleetAdminGrants(sql: Sql): Promise<
  (GrantRow & {
    readonly a_kind: 'person' | 'service';
    readonly a_disabled_at: Date | null;
    readonly a_seal: Buffer | null;
  })[]
> {
  return sql.query(
    `SELECT ${COLUMNS}, a.kind AS a_kind, a.disabled_at AS a_disabled_at, a.seal AS a_seal ${FROM}
      WHERE g.role = 'admin' AND g.selector IS NULL AND g.revoked_at IS NULL AND NOT ${GRANT_ENDED} AND a.disabled_at IS NULL`,
  );
}

export function unsealedGrants(sql: Sql): Promise<GrantRow[]> {
  return sql.query<GrantRow>(`SELECT ${COLUMNS} ${FROM} WHERE g.seal IS NULL FOR UPDATE OF g`);
}

export async function sealGrant(sql: Sql, id: string, seal: Buffer): Promise<void> {
  await sql.query('UPDATE access_grant SET seal = $2 WHERE id = $1 AND seal IS NULL', [id, seal]);
}
