import type { Sql } from '../database/database.service.ts';

/** The key of the MAC on cursors, which all replicas share. */
export async function cursorSecret(sql: Sql): Promise<Buffer | undefined> {
  return (await sql.query<{ value: Buffer }>(`SELECT value FROM server_secret WHERE name = 'cursor'`))[0]?.value;
}
