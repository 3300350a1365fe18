import type { Sql } from '../database/database.service.ts';

/** A join token without its secret. */
export interface JoinTokenRow {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly hash: Buffer;
  readonly labels: Record<string, string>;
  readonly maxUses: number;
  readonly uses: number;
  readonly expiresAt: Date;
  readonly revokedAt: Date | null;
  readonly createdBy: string;
  readonly createdAt: Date;
  /** By Postgres's clock: it has reached its end, or a day after it was made, whatever its end says. */
  readonly expired: boolean;
  /** Null: sealed by no server of now. */
  readonly seal: Buffer | null;
  /** The number of the latest use that is on record; 0: none. */
  readonly latestUse: number;
}

/** The latest use by the unique index: a count would read each use at each join. */
const COLUMNS = `id, name, prefix, hash, labels, max_uses AS "maxUses", uses, expires_at AS "expiresAt", revoked_at AS "revokedAt",
  created_by AS "createdBy", created_at AS "createdAt", seal, least(expires_at, created_at + interval '24 hours') <= now() AS expired,
  (SELECT coalesce(max(u.number), 0) FROM join_token_use u WHERE u.token_id = join_token.id) AS "latestUse"`;

export type NewJoinTokenRow = Omit<JoinTokenRow, 'expired' | 'revokedAt' | 'uses' | 'latestUse'>;

export async function insertJoinToken(sql: Sql, row: NewJoinTokenRow): Promise<JoinTokenRow> {
  const [made] = await sql.query<JoinTokenRow>(
    `INSERT INTO join_token (id, name, prefix, hash, labels, max_uses, created_at, expires_at, created_by, seal)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     RETURNING ${COLUMNS}`,
    [
      row.id,
      row.name,
      row.prefix,
      row.hash,
      JSON.stringify(row.labels),
      row.maxUses,
      row.createdAt,
      row.expiresAt,
      row.createdBy,
      row.seal,
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

/** Locked until the transaction ends. */
export async function lockJoinTokenById(sql: Sql, id: string): Promise<JoinTokenRow | undefined> {
  return (await sql.query<JoinTokenRow>(`SELECT ${COLUMNS} FROM join_token WHERE id = $1 FOR UPDATE`, [id]))[0];
}

/** The tokens of these hashes, locked until the transaction ends: joins line up here, a group at a time. */
export function lockJoinTokens(sql: Sql, hashes: readonly Buffer[]): Promise<JoinTokenRow[]> {
  return sql.query<JoinTokenRow>(
    `SELECT ${COLUMNS} FROM join_token WHERE hash = ANY ($1::bytea[]) ORDER BY id FOR UPDATE`,
    [hashes],
  );
}

export async function updateJoinTokenRevoked(
  sql: Sql,
  token: Pick<JoinTokenRow, 'id' | 'revokedAt' | 'seal'>,
): Promise<JoinTokenRow | undefined> {
  const [row] = await sql.query<JoinTokenRow>(
    `UPDATE join_token SET revoked_at = $2, seal = $3 WHERE id = $1 RETURNING ${COLUMNS}`,
    [token.id, token.revokedAt, token.seal],
  );
  return row;
}

/** Which key made which host with a token. */
export interface JoinTokenUseRow {
  readonly tokenId: string;
  readonly keyFingerprint: Buffer;
  readonly hostId: string;
  /** From 1; null: written by a server of the version before. */
  readonly number: number | null;
  readonly seal: Buffer | null;
}

const USE_COLUMNS = `token_id AS "tokenId", key_fingerprint AS "keyFingerprint", host_id AS "hostId", number, seal`;

/** What these keys made with these tokens, where they did. */
export function findJoinTokenUses(
  sql: Sql,
  pairs: readonly { readonly tokenId: string; readonly keyFingerprint: Buffer }[],
): Promise<JoinTokenUseRow[]> {
  return sql.query<JoinTokenUseRow>(
    `SELECT ${USE_COLUMNS} FROM join_token_use
      WHERE (token_id, key_fingerprint) IN (SELECT * FROM unnest($1::uuid[], $2::bytea[]))`,
    [pairs.map(({ tokenId }) => tokenId), pairs.map(({ keyFingerprint }) => keyFingerprint)],
  );
}

/** Counts uses, and remembers by which key for which host. The caller holds the tokens' locks. */
export async function recordJoinTokenUses(
  sql: Sql,
  tokens: readonly Pick<JoinTokenRow, 'id' | 'uses' | 'seal'>[],
  uses: readonly JoinTokenUseRow[],
): Promise<void> {
  await sql.query(
    `WITH used AS (
       UPDATE join_token t SET uses = u.uses, seal = u.seal FROM unnest($1::uuid[], $2::int[], $3::bytea[]) AS u (id, uses, seal) WHERE t.id = u.id)
     INSERT INTO join_token_use (token_id, key_fingerprint, host_id, number, seal)
     SELECT * FROM unnest($4::uuid[], $5::bytea[], $6::uuid[], $7::int[], $8::bytea[])`,
    [
      tokens.map((token) => token.id),
      tokens.map((token) => token.uses),
      tokens.map((token) => token.seal),
      uses.map((use) => use.tokenId),
      uses.map((use) => use.keyFingerprint),
      uses.map((use) => use.hostId),
      uses.map((use) => use.number),
      uses.map((use) => use.seal),
    ],
  );
}

/** Of before seals, as far as a server of before can have made them: none lives longer than a day, or was made in time to come. */
export function unsealedJoinTokens(sql: Sql): Promise<JoinTokenRow[]> {
  return sql.query<JoinTokenRow>(
    `SELECT ${COLUMNS} FROM join_token
      WHERE seal IS NULL AND expires_at <= created_at + interval '24 hours' AND created_at <= now() + interval '1 minute' FOR UPDATE`,
  );
}

/** Times without microseconds, as they are sealed. */
export async function sealJoinToken(sql: Sql, token: JoinTokenRow): Promise<void> {
  await sql.query(
    'UPDATE join_token SET seal = $2, created_at = $3, expires_at = $4, revoked_at = $5 WHERE id = $1 AND seal IS NULL',
    [token.id, token.seal, token.createdAt, token.expiresAt, token.revokedAt],
  );
}

export function unsealedJoinTokenUses(sql: Sql): Promise<JoinTokenUseRow[]> {
  return sql.query<JoinTokenUseRow>(
    `SELECT ${USE_COLUMNS} FROM join_token_use WHERE seal IS NULL AND number IS NOT NULL FOR UPDATE`,
  );
}

/** All at once: there may be a hundred thousand. */
export async function sealJoinTokenUses(sql: Sql, uses: readonly JoinTokenUseRow[]): Promise<void> {
  await sql.query(
    `UPDATE join_token_use u SET seal = s.seal
       FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS s(token_id, key_fingerprint, seal)
      WHERE u.token_id = s.token_id AND u.key_fingerprint = s.key_fingerprint AND u.seal IS NULL`,
    [uses.map((use) => use.tokenId), uses.map((use) => use.keyFingerprint), uses.map((use) => use.seal)],
  );
}
