import type { Sql } from '../database/database.service.ts';
import type { ApiTokenRow } from './access.rows.ts';

const COLUMNS = `t.id, t.name, t.prefix, t.hash, t.account_id, a.name AS account_name, t.routes, t.created_by, t.created_at, t.expires_at,
  coalesce(t.expires_at <= now(), false) AS expired, t.revoked_at, t.revoked_by, t.last_used_at, t.bootstrap, t.seal,
  a.kind AS account_kind, a.disabled_at AS account_disabled_at, a.seal AS account_seal`;
const FROM = 'FROM api_token t LEFT JOIN account a ON a.id = t.account_id';

export async function insertToken(
  sql: Sql,
  token: Pick<
    ApiTokenRow,
    'id' | 'name' | 'prefix' | 'hash' | 'account_id' | 'routes' | 'expires_at' | 'created_by' | 'bootstrap' | 'seal'
  >,
): Promise<void> {
  await sql.query(
    `INSERT INTO api_token (id, name, prefix, hash, account_id, routes, expires_at, created_by, seal, bootstrap)
     VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9, $10)`,
    [
      token.id,
      token.name,
      token.prefix,
      token.hash,
      token.account_id,
      token.routes === null ? null : JSON.stringify(token.routes),
      token.expires_at,
      token.created_by,
      token.seal,
      token.bootstrap,
    ],
  );
}

export interface TokenFilter {
  readonly accountId: string | null;
  readonly includeEnded: boolean;
}

/** Oldest first, after `after`. */
export function listTokens(
  sql: Sql,
  filter: TokenFilter = { accountId: null, includeEnded: true },
  limit = 10_000,
  after: { readonly createdAt: string; readonly id: string } | null = null,
): Promise<(ApiTokenRow & { readonly created_at_text: string })[]> {
  return sql.query(
    `SELECT ${COLUMNS}, to_char(t.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at_text ${FROM}
      WHERE ($1::uuid IS NULL OR t.account_id = $1)
        AND ($2 OR (t.revoked_at IS NULL AND NOT coalesce(t.expires_at <= now(), false)))
        AND ($3::timestamptz IS NULL OR (t.created_at, t.id) > ($3, $4::uuid))
      ORDER BY t.created_at, t.id LIMIT $5`,
    [filter.accountId, filter.includeEnded, after?.createdAt ?? null, after?.id ?? null, limit],
  );
}

/** Tokens that are not revoked and whose shown prefix begins so. */
export function findOpenByPrefix(sql: Sql, prefix: string): Promise<ApiTokenRow[]> {
  return sql.query<ApiTokenRow>(
    `SELECT ${COLUMNS} ${FROM} WHERE starts_with(t.prefix, $1) AND t.revoked_at IS NULL ORDER BY t.id`,
    [prefix],
  );
}

export async function lockToken(sql: Sql, id: string): Promise<ApiTokenRow | undefined> {
  return (await sql.query<ApiTokenRow>(`SELECT ${COLUMNS} ${FROM} WHERE t.id = $1 FOR UPDATE OF t`, [id]))[0];
}

export async function updateTokenRevoked(
  sql: Sql,
  token: Pick<ApiTokenRow, 'id' | 'revoked_at' | 'revoked_by' | 'seal'>,
): Promise<void> {
  await sql.query('UPDATE api_token SET revoked_at = $2, revoked_by = $3, seal = $4 WHERE id = $1', [
    token.id,
    token.revoked_at,
    token.revoked_by,
    token.seal,
  ]);
}

/** By id, or by the whole shown beginning (12 characters; two of a fleet never share one in practice: then the open one). */
export async function findTokenByIdOrPrefix(sql: Sql, idOrPrefix: string): Promise<ApiTokenRow | undefined> {
  const rows = await sql.query<ApiTokenRow>(
    `SELECT ${COLUMNS} ${FROM} WHERE t.id::text = $1 OR t.prefix = $1 ORDER BY t.revoked_at IS NULL DESC, t.id LIMIT 1`,
    [idOrPrefix],
  );
  return rows[0];
}

/** One at a time makes, replaces or ends the tokens of STATE_DIR/admin-token. */
export async function lockBootstrap(sql: Sql): Promise<void> {
  await sql.query(`SELECT pg_advisory_xact_lock(hashtextextended('modfleet-admin-token', 0))`);
}

/**
 * Tokens that were made for STATE_DIR/admin-token and are not revoked, and the one of this hash. Of those that were made before it was noted: all that are as a
 * start made them, which is also how "token create --name admin" made them.
 *
 * @param hash of what the file holds; null: nothing.
 */
export function bootstrapTokens(sql: Sql, hash: Buffer | null): Promise<ApiTokenRow[]> {
  return sql.query<ApiTokenRow>(
    `SELECT ${COLUMNS} ${FROM}
      WHERE t.revoked_at IS NULL
        AND (t.bootstrap OR t.hash = $1
             OR (t.bootstrap IS NULL AND t.name = 'admin' AND a.name ~ '^admin(-[0-9]+)?$' AND t.routes IS NULL AND t.expires_at IS NULL))
      ORDER BY t.created_at, t.id`,
    [hash],
  );
}

/** Tokens of an account that are not revoked. */
export function unrevokedTokensOf(sql: Sql, accountId: string): Promise<ApiTokenRow[]> {
  return sql.query<ApiTokenRow>(
    `SELECT ${COLUMNS} ${FROM} WHERE t.account_id = $1 AND t.revoked_at IS NULL ORDER BY t.created_at, t.id`,
    [accountId],
  );
}

/** Whether a token of this hash is in this database, in whatever state. */
export async function hasToken(sql: Sql, hash: Buffer): Promise<boolean> {
  return (await sql.query('SELECT 1 FROM api_token WHERE hash = $1', [hash])).length > 0;
}

/** Written at most once a minute a token, so that a busy caller costs no write a call. */
export async function touchToken(sql: Sql, id: string): Promise<void> {
  await sql.query(
    `UPDATE api_token SET last_used_at = now() WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`,
    [id],
  );
}

/** Of tokens that belong to an account; the others give nothing anyway. */
export function unsealedTokens(sql: Sql): Promise<ApiTokenRow[]> {
  return sql.query<ApiTokenRow>(
    `SELECT ${COLUMNS} ${FROM} WHERE t.seal IS NULL AND t.account_id IS NOT NULL FOR UPDATE OF t`,
  );
}

/** Times without microseconds, as they are sealed. */
export async function sealToken(
  sql: Sql,
  token: Pick<ApiTokenRow, 'id' | 'expires_at' | 'revoked_at'>,
  seal: Buffer,
): Promise<void> {
  await sql.query('UPDATE api_token SET seal = $2, expires_at = $3, revoked_at = $4 WHERE id = $1 AND seal IS NULL', [
    token.id,
    seal,
    token.expires_at,
    token.revoked_at,
  ]);
}
