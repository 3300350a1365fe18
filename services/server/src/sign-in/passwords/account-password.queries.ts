import type { Sql } from '../../database/database.service.ts';

export async function readPassword(sql: Sql, accountId: string): Promise<Buffer | undefined> {
  const rows = await sql.query<{ sealed: Buffer }>('SELECT sealed FROM account_password WHERE account_id = $1', [
    accountId,
  ]);
  return rows[0]?.sealed;
}

/** Of these accounts. */
export function readPasswords(
  sql: Sql,
  accountIds: readonly string[],
): Promise<{ readonly account_id: string; readonly sealed: Buffer }[]> {
  return sql.query('SELECT account_id, sealed FROM account_password WHERE account_id = ANY ($1::uuid[])', [accountIds]);
}

/** Whether this is the password still. Nobody changes or removes it before the transaction ends. */
export async function sharePassword(sql: Sql, accountId: string, sealed: Buffer): Promise<boolean> {
  const rows = await sql.query('SELECT 1 FROM account_password WHERE account_id = $1 AND sealed = $2 FOR SHARE', [
    accountId,
    sealed,
  ]);
  return rows.length > 0;
}

/** Puts a password in the place of whatever is there. */
export async function putPassword(sql: Sql, accountId: string, sealed: Buffer): Promise<void> {
  await sql.query(
    `INSERT INTO account_password (account_id, sealed) VALUES ($1, $2)
     ON CONFLICT (account_id) DO UPDATE SET sealed = excluded.sealed, changed_at = now()`,
    [accountId, sealed],
  );
}

/** Puts a password in the place of the one that was read. False: somebody else was faster, and theirs stays. */
export async function replacePassword(sql: Sql, accountId: string, old: Buffer, sealed: Buffer): Promise<boolean> {
  const rows = await sql.query(
    'UPDATE account_password SET sealed = $3, changed_at = now() WHERE account_id = $1 AND sealed = $2 RETURNING account_id',
    [accountId, old, sealed],
  );
  return rows.length > 0;
}

/** @returns false when there was none. */
export async function dropPassword(sql: Sql, accountId: string): Promise<boolean> {
  const rows = await sql.query('DELETE FROM account_password WHERE account_id = $1 RETURNING account_id', [accountId]);
  return rows.length > 0;
}
