import type { Sql } from './database.service.ts';

/** Postgres's time; in a transaction that of its beginning. Also proves that the database answers. */
export async function databaseTime(sql: Sql): Promise<Date> {
  const [row] = await sql.query<{ now: Date }>('SELECT now()');
  if (row === undefined) throw new Error('SELECT now() without a row');
  return row.now;
}
