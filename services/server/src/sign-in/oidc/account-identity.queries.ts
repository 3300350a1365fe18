import type { Sql } from '../../database/database.service.ts';

export interface IdentityRow {
  readonly issuer: string;
  readonly subject: string;
  readonly account_id: string;
  readonly linked_by: string;
  readonly linked_at: Date;
  readonly last_used_at: Date | null;
  readonly seal: Buffer;
}

/** Nobody unlinks it before the transaction ends. */
export async function lockIdentity(sql: Sql, issuer: string, subject: string): Promise<IdentityRow | undefined> {
  const rows = await sql.query<IdentityRow>(
    'SELECT * FROM account_identity WHERE issuer = $1 AND subject = $2 FOR UPDATE',
    [issuer, subject],
  );
  return rows[0];
}

/** Of these accounts, the ones linked first before the others. */
export function selectIdentities(sql: Sql, accountIds: readonly string[]): Promise<IdentityRow[]> {
  return sql.query<IdentityRow>(
    'SELECT * FROM account_identity WHERE account_id = ANY ($1::uuid[]) ORDER BY linked_at, issuer, subject',
    [accountIds],
  );
}

/** False: the identity is linked already. */
export async function insertIdentity(
  sql: Sql,
  row: Pick<IdentityRow, 'issuer' | 'subject' | 'account_id' | 'linked_by' | 'seal'>,
): Promise<boolean> {
  const rows = await sql.query(
    `INSERT INTO account_identity (issuer, subject, account_id, linked_by, seal) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (issuer, subject) DO NOTHING RETURNING account_id`,
    [row.issuer, row.subject, row.account_id, row.linked_by, row.seal],
  );
  return rows.length > 0;
}

export async function deleteIdentity(sql: Sql, issuer: string, subject: string): Promise<void> {
  await sql.query('DELETE FROM account_identity WHERE issuer = $1 AND subject = $2', [issuer, subject]);
}

export async function touchIdentity(sql: Sql, issuer: string, subject: string): Promise<void> {
  await sql.query('UPDATE account_identity SET last_used_at = now() WHERE issuer = $1 AND subject = $2', [
    issuer,
    subject,
  ]);
}
