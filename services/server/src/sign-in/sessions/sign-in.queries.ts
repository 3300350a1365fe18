import type { Sql } from '../../database/database.service.ts';

/** How the secret travels. One that was made for a cookie is taken from a cookie alone, and the other way round. */
export type Carrier = 'cookie' | 'bearer';
export type Way = 'password' | 'oidc';

export interface SignInRow {
  readonly id: string;
  readonly account_id: string;
  readonly account_name: string;
  readonly carrier: Carrier;
  readonly way: Way;
  readonly place: string;
  readonly agent: string;
  readonly created_at: Date;
  readonly expires_at: Date;
  readonly idle_seconds: number;
  readonly last_used_at: Date;
  readonly ended_at: Date | null;
  readonly ended_by: string | null;
  readonly is_over: boolean;
}

export type NewSignIn = Pick<
  SignInRow,
  'id' | 'account_id' | 'carrier' | 'way' | 'place' | 'agent' | 'created_at' | 'expires_at' | 'idle_seconds'
> & { readonly hash: Buffer; readonly seal: Buffer };

const COLUMNS = `s.id, s.account_id, a.name AS account_name, s.carrier, s.way, s.place, s.agent, s.created_at, s.expires_at, s.idle_seconds, s.last_used_at,
                 s.ended_at, s.ended_by, (s.expires_at <= now() OR s.last_used_at + make_interval(secs => s.idle_seconds) <= now()) AS is_over`;
const FROM = 'FROM sign_in s JOIN account a ON a.id = s.account_id';
const OPEN =
  's.ended_at IS NULL AND s.expires_at > now() AND s.last_used_at + make_interval(secs => s.idle_seconds) > now()';

export async function insertSignIn(sql: Sql, row: NewSignIn): Promise<void> {
  await sql.query(
    `INSERT INTO sign_in (id, account_id, hash, carrier, way, place, agent, created_at, expires_at, idle_seconds, last_used_at, seal)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $8, $11)`,
    [
      row.id,
      row.account_id,
      row.hash,
      row.carrier,
      row.way,
      row.place,
      row.agent,
      row.created_at,
      row.expires_at,
      row.idle_seconds,
      row.seal,
    ],
  );
}

/** `is_over`: by Postgres's clock. */
export async function findByHash(
  sql: Sql,
  hash: Buffer,
): Promise<(SignInRow & { readonly hash: Buffer; readonly seal: Buffer | null }) | undefined> {
  const rows = await sql.query<SignInRow & { hash: Buffer; seal: Buffer | null }>(
    `SELECT ${COLUMNS}, s.hash, s.seal ${FROM} WHERE s.hash = $1`,
    [hash],
  );
  return rows[0];
}

/** Open ones, latest first. @param accountId null: everybody's. */
export function listOpen(
  sql: Sql,
  accountId: string | null,
  limit: number,
  before: { readonly createdAt: Date; readonly id: string } | null,
): Promise<SignInRow[]> {
  return sql.query<SignInRow>(
    `SELECT ${COLUMNS} ${FROM}
      WHERE ${OPEN} AND ($1::uuid IS NULL OR s.account_id = $1) AND ($2::timestamptz IS NULL OR (s.created_at, s.id) < ($2, $3::uuid))
      ORDER BY s.created_at DESC, s.id DESC LIMIT $4`,
    [accountId, before?.createdAt ?? null, before?.id ?? null, limit],
  );
}

/** Ends one that is open. @param accountId null: whoever's it is. @param left the seal of its own logout; null: somebody ended it. */
export async function endSignIn(
  sql: Sql,
  id: string,
  accountId: string | null,
  by: string,
  left: Buffer | null,
): Promise<SignInRow | undefined> {
  const rows = await sql.query<SignInRow>(
    `WITH s AS (UPDATE sign_in SET ended_at = now(), ended_by = $3, hash = NULL, seal = $4
                 WHERE id = $1 AND ended_at IS NULL AND ($2::uuid IS NULL OR account_id = $2) RETURNING *)
     SELECT ${COLUMNS} FROM s JOIN account a ON a.id = s.account_id`,
    [id, accountId, by, left],
  );
  return rows[0];
}

/** Ends all of an account. @param except id of one that stays. @param way of those that end; null: all. @returns how many ended. */
export async function endSignInsOf(
  sql: Sql,
  accountId: string,
  except: string | null,
  by: string,
  way: Way | null = null,
): Promise<number> {
  const rows = await sql.query(
    `UPDATE sign_in SET ended_at = now(), ended_by = $3, hash = NULL, seal = NULL
      WHERE account_id = $1 AND ended_at IS NULL AND ($2::uuid IS NULL OR id <> $2) AND ($4::text IS NULL OR way = $4) RETURNING id`,
    [accountId, except, by, way],
  );
  return rows.length;
}

/** Written at most once a minute each. */
export async function touchSignIn(sql: Sql, id: string): Promise<void> {
  await sql.query(
    `UPDATE sign_in SET last_used_at = now() WHERE id = $1 AND ended_at IS NULL AND last_used_at < now() - interval '1 minute'`,
    [id],
  );
}

/** Whether the account has signed in from there within 90 days. */
export async function isKnownPlace(sql: Sql, accountId: string, place: string): Promise<boolean> {
  const rows = await sql.query(
    `SELECT 1 FROM sign_in WHERE account_id = $1 AND place = $2 AND created_at > now() - interval '90 days' LIMIT 1`,
    [accountId, place],
  );
  return rows.length > 0;
}

/** Those that began more than 90 days ago and are over. */
export async function dropOldSignIns(sql: Sql): Promise<void> {
  await sql.query(`DELETE FROM sign_in s WHERE s.created_at < now() - interval '90 days' AND NOT (${OPEN})`);
}

/** When the last of an account's open sign-ins of this way ends in any case; undefined: none is open. Without microseconds. */
export async function lastEndOf(sql: Sql, accountId: string, way: Way): Promise<Date | undefined> {
  const rows = await sql.query<{ end: Date | null }>(
    `SELECT date_trunc('milliseconds', max(s.expires_at)) AS end FROM sign_in s WHERE s.account_id = $1 AND s.way = $2 AND ${OPEN}`,
    [accountId, way],
  );
  return rows[0]?.end ?? undefined;
}
