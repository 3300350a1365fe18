import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EmbeddedPostgres } from './embedded-postgres.mjs';
import { repository } from './paths.ts';
import { ScriptError, runProgram } from './program.ts';

/** As which the server logs in: it may only append to its audit log (docs/audit.md). */
const SERVER_ROLE = 'modfleet';

/**
 * Migrates an embedded database, and makes the server's role there. What was made before there was such a role is handed over to it.
 *
 * @param folder of the embedded PostgreSQL: the superuser's password is there, and the role's is kept beside it.
 * @returns the connection string for the server, which is not the superuser's.
 */
export async function prepareForServer(postgres: EmbeddedPostgres, folder: string): Promise<string> {
  const passwordFile = join(folder, 'server-password');
  if (!existsSync(passwordFile)) writeFileSync(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 });
  const url = new URL(postgres.url());
  url.username = SERVER_ROLE;
  url.password = readFileSync(passwordFile, 'utf8').trim();
  const entry = join(repository, 'services/server/bin/modfleet-server.js');
  const migrate = ['migrate', '--protect', '--admin-password-file', join(folder, 'password')];
  const { status, output } = await runProgram(process.execPath, [entry, ...migrate], {
    env: { ...process.env, DATABASE_URL: url.href },
  });
  if (status !== 0) throw new ScriptError(`preparing the database failed: ${output.trim()}`);
  return url.href;
}
