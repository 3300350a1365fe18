import type { Sql } from '../database/database.service.ts';

/** A join token without its secret. */
export interface JoinTokenRow {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly labels: Record<string, string>;
  readonly maxUses: number;
  readonly uses: number;
  readonly expiresAt: Date;
  readonly revokedAt: Date | null;
  readonly createdBy: string;
  readonly createdAt: Date;
  /** By Postgres's clock. */
  readonly expired: boolean;
}

const COLUMNS = `id, name, prefix, labels, max_uses AS "maxUses", uses, expires_at AS "expiresAt", revoked_at AS "revokedAt",
  created_by AS "createdBy", created_at AS "createdAt", expires_at <= now() AS expired`;

export interface NewJoinTokenRow {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly hash: Buffer;
  readonly labels: Readonly<Record<string, string>>;
  readonly maxUses: number;
  readonly expiresInSeconds: number;
  readonly createdBy: string;
}

export async function insertJoinToken(sql: Sql, row: NewJoinTokenRow): Promise<JoinTokenRow> {
  const [made] = await sql.query<JoinTokenRow>(
    `INSERT INTO join_token (id, name, prefix, hash, labels, max_uses, expires_at, created_by)
     VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7), $8)
     RETURNING ${COLUMNS}`,
    [
      row.id,
      row.name,
      row.prefix,
      row.hash,
      JSON.stringify(row.labels),
      row.maxUses,
      row.expiresInSeconds,
      row.createdBy,
    ],
  );
  if (made === undefined) throw new Error('INSERT … RETURNING gave no row');
  return made;
}

/** Newest first; `before` continues after a row. */
export function listJoinTokens(
  sql: Sql,
  limit: number,
  before: { readonly createdAt: Date; readonly id: string } | null,
): Promise<JoinTokenRow[]> {
  return sql.query<JoinTokenRow>(
    `SELECT ${COLUMNS} FROM join_token
      WHERE $2::timestamptz IS NULL OR (date_trunc('milliseconds', created_at), id) < ($2, $3::uuid)
      ORDER BY date_trunc('milliseconds', created_at) DESC, id DESC LIMIT $1`,
    [limit, before?.createdAt ?? null, before?.id ?? null],
  );
}

/** Revokes once; the row as it stands then, undefined when there is none. */
export async function revokeJoinToken(sql: Sql, id: string): Promise<JoinTokenRow | undefined> {
  const [row] = await sql.query<JoinTokenRow>(
    `UPDATE join_token SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 RETURNING ${COLUMNS}`,
    [id],
  );
  return row;
}

/** The token of this hash, locked until the transaction ends: fifty joins at once line up here. */
export async function lockJoinToken(sql: Sql, hash: Buffer): Promise<JoinTokenRow | undefined> {
  const [row] = await sql.query<JoinTokenRow>(`SELECT ${COLUMNS} FROM join_token WHERE hash = $1 FOR UPDATE`, [hash]);
  return row;
}

/** The host that this key made with this token, if any. */
export async function findJoinTokenUse(sql: Sql, tokenId: string, keyFingerprint: Buffer): Promise<string | undefined> {
  const [row] = await sql.query<{ hostId: string }>(
    `SELECT host_id AS "hostId" FROM join_token_use WHERE token_id = $1 AND key_fingerprint = $2`,
    [tokenId, keyFingerprint],
  );
  return row?.hostId;
}

/** Counts one use, and remembers by which key for which host. The caller holds the token's lock. */
export async function recordJoinTokenUse(
  sql: Sql,
  tokenId: string,
  keyFingerprint: Buffer,
  hostId: string,
): Promise<void> {
  await sql.query(
    `WITH used AS (UPDATE join_token SET uses = uses + 1 WHERE id = $1)
     INSERT INTO join_token_use (token_id, key_fingerprint, host_id) VALUES ($1, $2, $3)`,
    [tokenId, keyFingerprint, hostId],
  );
}
