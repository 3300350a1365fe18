import type { Sql } from '../database/database.service.ts';
import type { MintedToken } from './api-token.ts';

export interface ApiTokenRow {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly role: string;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly last_used_at: Date | null;
}

const COLUMNS = 'id, name, prefix, role, created_at, expires_at, revoked_at, last_used_at';

/** The token of a hash, with its stored hash (to be compared again) and whether it has expired by Postgres's clock. */
export async function findByHash(
  sql: Sql,
  hash: Buffer,
): Promise<(ApiTokenRow & { hash: Buffer; expired: boolean }) | undefined> {
  const rows = await sql.query<ApiTokenRow & { hash: Buffer; expired: boolean }>(
    `SELECT ${COLUMNS}, hash, coalesce(expires_at <= now(), false) AS expired FROM api_token WHERE hash = $1`,
    [hash],
  );
  return rows[0];
}

export async function insertToken(
  sql: Sql,
  id: string,
  name: string,
  minted: MintedToken,
  expiresInSeconds: number | null,
): Promise<void> {
  await sql.query(
    `INSERT INTO api_token (id, name, prefix, hash, expires_at)
     VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5::double precision))`,
    [id, name, minted.prefix, minted.hash, expiresInSeconds],
  );
}

export async function listTokens(sql: Sql): Promise<ApiTokenRow[]> {
  return sql.query<ApiTokenRow>(`SELECT ${COLUMNS} FROM api_token ORDER BY created_at, id`);
}

/** Tokens that are not revoked and whose shown prefix begins so. */
export async function findOpenByPrefix(sql: Sql, prefix: string): Promise<ApiTokenRow[]> {
  return sql.query<ApiTokenRow>(
    `SELECT ${COLUMNS} FROM api_token WHERE starts_with(prefix, $1) AND revoked_at IS NULL ORDER BY id`,
    [prefix],
  );
}

export async function revokeToken(sql: Sql, id: string): Promise<void> {
  await sql.query('UPDATE api_token SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL', [id]);
}

/** Written at most once a minute a token, so that a busy caller costs no write a call. */
export async function touchToken(sql: Sql, id: string): Promise<void> {
  await sql.query(
    `UPDATE api_token SET last_used_at = now() WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`,
    [id],
  );
}
