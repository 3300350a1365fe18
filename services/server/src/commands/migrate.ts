import { parseArgs } from 'node:util';
import { migrateProtected, ProtectRefusedError, urlAs, userOf } from '../audit/protected-migration.ts';
import { readSecretFile } from '../config/secret-file.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { AdminLoginError } from '../database/admin-session.ts';
import { migrate } from '../database/migrate.ts';
import { UsageError } from './usage-error.ts';

type Print = (line: string) => void;

export const MIGRATE_USAGE = `modfleet-server migrate      bring the database to this version
modfleet-server migrate --protect --admin-password-file FILE [--admin-user NAME]
                             as the superuser NAME (default postgres), for a server that logs in as an ordinary role: makes the
                             role of DATABASE_URL where there is none, migrates, and leaves it an audit log that it can only append to`;

/** Migrations ahead of the server's start. */
export async function migrateCommand(config: ServerConfig, args: readonly string[], print: Print): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { protect: { type: 'boolean' }, 'admin-password-file': text, 'admin-user': text },
  });
  const { 'admin-password-file': file, 'admin-user': user = 'postgres' } = values;
  const url = config.databaseDirectUrl;
  if (values.protect !== true) {
    if (file !== undefined || values['admin-user'] !== undefined)
      throw new UsageError(`--admin-password-file and --admin-user belong to --protect\n${MIGRATE_USAGE}`);
    return printApplied(await migrate(url), print);
  }
  if (file === undefined)
    throw new UsageError(`--protect takes a superuser's password: --admin-password-file FILE\n${MIGRATE_USAGE}`);
  const role = roleOf(url, user);
  const adminUrl = urlAs(url, user, passwordIn(file));
  try {
    printApplied(await migrateProtected(adminUrl, url), print);
  } catch (error) {
    if (error instanceof ProtectRefusedError) throw new UsageError(error.message);
    if (error instanceof AdminLoginError)
      throw new UsageError(`PostgreSQL does not let ${user} in with the password in ${file}: ${error.message}`);
    throw error;
  }
  print(`the audit log belongs to modfleet_audit; ${role} may only read and append`);
}

function passwordIn(file: string): string {
  const problems: string[] = [];
  const password = readSecretFile('--admin-password-file', file, problems);
  if (password === '') problems.push(`--admin-password-file: ${file} is empty`);
  if (password === undefined || password === '') throw new UsageError(problems.join('\n'));
  return password;
}

function roleOf(url: string, admin: string): string {
  if (!URL.canParse(url)) throw new UsageError('DATABASE_URL is no URL, so there is no other user to put in it');
  const { name } = userOf(url);
  if (name === '')
    throw new UsageError('DATABASE_URL names no user: name the role that the server is to have, for example modfleet');
  if (name === admin)
    throw new UsageError(
      `DATABASE_URL logs in as ${admin}, the superuser: name the role that the server is to have instead, for example modfleet (it is made where there is none)`,
    );
  return name;
}

function printApplied(names: readonly string[], print: Print): void {
  print(names.length === 0 ? 'the database is up to date' : `applied ${names.join(', ')}`);
}
