import pg from 'pg';
import type { Sql } from './database.service.ts';
import { DatabaseUnavailableError, isUnavailable } from './database.errors.ts';
import { MigrationError } from './migrate.ts';
import { migrationProblem } from './migration-problem.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/** A server at work gives its locks back sooner; a longer wait would hold up everybody behind it. */
const LOCK_TIMEOUT = '10s';
/** Deadlock found, lock not to be had in time. */
const BUSY = new Set(['40P01', '55P03']);
const ATTEMPTS = 5;
/** Invalid authorization, invalid password. */
const NOT_LET_IN = new Set(['28000', '28P01']);

/** PostgreSQL does not take this superuser, or not with this password. */
export class AdminLoginError extends Error {
  readonly code = 'admin_login_failed';
}

/**
 * Runs `work` in a session of a superuser. Names are looked up in pg_catalog alone: nothing that the server's role made in its own schema stands in for
 * PostgreSQL's. `work` must run nothing of that role's either: no query of a table or view in `public`, whose triggers, defaults and functions would
 * have a superuser's rights.
 *
 * @param url a direct connection: a session lock is taken.
 * @throws AdminLoginError, MigrationError for what else PostgreSQL says, DatabaseUnavailableError, and what `work` throws.
 */
export async function withAdmin<T>(url: string, lock: string, work: (sql: Sql) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'modfleet-migrate',
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SET search_path = pg_catalog');
    await client.query('SELECT pg_advisory_lock($1)', [lock]);
    await client.query(`SET lock_timeout = '${LOCK_TIMEOUT}'`);
    return await work({
      query: async <Row extends object>(text: string, params?: readonly unknown[]) =>
        (await patiently(() => client.query<Row>(text, params === undefined ? undefined : [...params]))).rows,
    });
  } catch (error) {
    if (isUnavailable(error)) throw new DatabaseUnavailableError(error);
    if (!(error instanceof pg.DatabaseError)) throw error;
    if (NOT_LET_IN.has(error.code ?? '')) throw new AdminLoginError(error.message, { cause: error });
    throw new MigrationError(migrationProblem(error), error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** A server that runs meanwhile takes the same locks in another order. A query of several statements is all or nothing, so it can be run again. */
async function patiently<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (attempt === ATTEMPTS || !BUSY.has(String((error as { code?: unknown }).code))) throw error;
    }
  }
}
