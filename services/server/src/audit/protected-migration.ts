/**
 * Migrates the database of a server that may only append to its audit log.
 *
 * INVARIANTS
 * - The superuser's session changes roles, owners and rights, and nothing else. Migrations run in a session of the server's role: what that role left
 *   in its schema (a trigger, a view for a table) never runs as a superuser.
 * - The server's role may change the audit log only while migrations are applied that change its schema; whether that ended well or not, it is taken
 *   back.
 * - One at a time: the superuser's session holds a lock. A run that was killed is put right by the next.
 */
import { withAdmin } from '../database/admin-session.ts';
import type { Sql } from '../database/database.service.ts';
import { migrate, migrationList, whatWaits } from '../database/migrate.ts';
import {
  closeSql,
  hasAuditLog,
  isSuperuser,
  openSql,
  OWNER,
  protectSql,
  roleSql,
  selectHandOver,
  selectSelf,
} from './protect.queries.ts';

/** Any constant that nothing else in this database locks: "modprot" in ASCII. */
const PROTECT_LOCK = '30803249635422068';

/** Who is who makes a protected database impossible; the message says what to change. */
export class ProtectRefusedError extends Error {
  readonly code = 'protect_refused';
}

/** As whom a connection string logs in. */
export function userOf(url: string): { readonly name: string; readonly password: string | null } {
  const { username, password, searchParams } = new URL(url);
  const given = searchParams.get('password') ?? decodeURIComponent(password);
  return { name: searchParams.get('user') ?? decodeURIComponent(username), password: given === '' ? null : given };
}

/** The same database, as somebody else. */
export function urlAs(url: string, user: string, password: string): string {
  const changed = new URL(url);
  // These two win over user and password before the host, and have a place where there is no host.
  changed.searchParams.set('user', user);
  changed.searchParams.set('password', password);
  return changed.href;
}

/**
 * @param serverUrl as the server logs in: a direct connection, with the password that its role is to have.
 * @returns names of the migrations that this call applied.
 * @throws ProtectRefusedError, AdminLoginError, MigrationError, DatabaseUnavailableError.
 */
export async function migrateProtected(
  adminUrl: string,
  serverUrl: string,
  migrations = migrationList(),
): Promise<readonly string[]> {
  const { name: role, password } = userOf(serverUrl);
  return withAdmin(adminUrl, PROTECT_LOCK, async (admin) => {
    const { database } = await requireRoles(admin, role);
    await admin.query(roleSql(role, database, password));
    for (const statement of await selectHandOver(admin, role)) await admin.query(statement);
    if (await hasAuditLog(admin)) await admin.query(protectSql(role));
    if ((await whatWaits(serverUrl, migrations)) !== 'audit log') return migrate(serverUrl, migrations);
    await admin.query(openSql(role, database));
    try {
      return await migrate(serverUrl, migrations);
    } finally {
      await admin.query((await hasAuditLog(admin)) ? protectSql(role) : closeSql(role));
    }
  });
}

async function requireRoles(admin: Sql, role: string): Promise<{ database: string }> {
  const self = await selectSelf(admin);
  if (!self.superuser) throw new ProtectRefusedError(`this takes a superuser, and ${self.role} is none`);
  if (role === OWNER || (await isSuperuser(admin, role)))
    throw new ProtectRefusedError(
      `the server cannot log in as ${role}, ${role === OWNER ? 'which owns the audit log' : 'a superuser, from whom nothing can be kept'}: name an ordinary role in DATABASE_URL, for example modfleet (it is made where there is none)`,
    );
  return self;
}
