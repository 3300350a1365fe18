import type { Sql } from '../database/database.service.ts';
import type { AccountRow } from './access.rows.ts';

const COLUMNS = 'id, name, kind, created_by, created_at, disabled_at, disabled_by, seal';

/** Postgres's time, without the microseconds that a JavaScript Date has not: what is sealed and what is stored are the same. */
export async function sealableNow(sql: Sql): Promise<Date> {
  const [row] = await sql.query<{ now: Date }>(`SELECT date_trunc('milliseconds', clock_timestamp()) AS now`);
  if (row === undefined) throw new Error('Postgres did not say what time it is');
  return row.now;
}

/** False: the name is taken, in whatever case. */
export async function insertAccount(
  sql: Sql,
  account: Pick<AccountRow, 'id' | 'name' | 'kind' | 'created_by' | 'seal'>,
): Promise<boolean> {
  const rows = await sql.query(
    'INSERT INTO account (id, name, kind, created_by, seal) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING id',
    [account.id, account.name, account.kind, account.created_by, account.seal],
  );
  return rows.length > 0;
}

/** By name, after `after`. */
export function listAccounts(sql: Sql, limit: number, after: string | null): Promise<AccountRow[]> {
  return sql.query<AccountRow>(
    `SELECT ${COLUMNS} FROM account WHERE $2::text IS NULL OR name > $2 ORDER BY name LIMIT $1`,
    [limit, after],
  );
}

/** An id, or a name. */
export async function findAccount(sql: Sql, idOrName: string): Promise<AccountRow | undefined> {
  const rows = await sql.query<AccountRow>(
    `SELECT ${COLUMNS} FROM account WHERE id::text = $1 OR name = $1 ORDER BY id::text = $1 DESC LIMIT 1`,
    [idOrName],
  );
  return rows[0];
}

/** The account that has this name without regard to case. */
export async function findAccountFolded(sql: Sql, name: string): Promise<AccountRow | undefined> {
  const rows = await sql.query<AccountRow>(
    `SELECT ${COLUMNS} FROM account WHERE lower(name COLLATE "C") = lower($1 COLLATE "C") ORDER BY name_twin LIMIT 1`,
    [name],
  );
  return rows[0];
}

/** Accounts whose names are others' but for case, as migration 0011 marked them; holds their rows until the transaction ends. */
export function lockTwins(sql: Sql): Promise<AccountRow[]> {
  return sql.query<AccountRow>(`SELECT ${COLUMNS} FROM account WHERE name_twin ORDER BY created_at, id FOR UPDATE`);
}

/** Gives a twin its new name. */
export async function updateTwinName(sql: Sql, account: Pick<AccountRow, 'id' | 'name' | 'seal'>): Promise<void> {
  await sql.query('UPDATE account SET name = $2, seal = $3, name_twin = false WHERE id = $1', [
    account.id,
    account.name,
    account.seal,
  ]);
}

/** As findAccount; holds the row until the transaction ends. */
export async function lockAccountNamed(sql: Sql, idOrName: string): Promise<AccountRow | undefined> {
  const found = await findAccount(sql, idOrName);
  return found === undefined ? undefined : lockAccount(sql, found.id);
}

/** Holds the row until the transaction ends. */
export async function lockAccount(sql: Sql, id: string): Promise<AccountRow | undefined> {
  return (await sql.query<AccountRow>(`SELECT ${COLUMNS} FROM account WHERE id = $1 FOR UPDATE`, [id]))[0];
}

export async function updateDisabled(
  sql: Sql,
  account: Pick<AccountRow, 'id' | 'disabled_at' | 'disabled_by' | 'seal'>,
): Promise<void> {
  await sql.query('UPDATE account SET disabled_at = $2, disabled_by = $3, seal = $4 WHERE id = $1', [
    account.id,
    account.disabled_at,
    account.disabled_by,
    account.seal,
  ]);
}

/** One change of who is an admin at a time: two that each leave the other as the last one would leave none. */
export async function lockAdmins(sql: Sql): Promise<void> {
  await sql.query(`SELECT pg_advisory_xact_lock(hashtextextended('modfleet-admins', 0))`);
}

export function unsealedAccounts(sql: Sql): Promise<AccountRow[]> {
  return sql.query<AccountRow>(`SELECT ${COLUMNS} FROM account WHERE seal IS NULL FOR UPDATE`);
}

export async function sealAccount(sql: Sql, id: string, seal: Buffer): Promise<void> {
  await sql.query('UPDATE account SET seal = $2 WHERE id = $1 AND seal IS NULL', [id, seal]);
}
