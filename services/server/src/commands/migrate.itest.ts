import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { urlAs, userOf } from '../audit/protected-migration.ts';
import { readServerConfig } from '../config/server-config.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { migrateCommand } from './migrate.ts';

const ROLE = `modfleet_migrate_${process.pid}`;

let postgres: TestPostgres;
let folder: string;
let adminUrl: string;
let file: string;
beforeAll(async () => {
  postgres = await startTestPostgres();
  adminUrl = (await postgres.createEmptyDatabase()).url;
  folder = await mkdtemp(join(tmpdir(), 'modfleet-migrate-command-'));
  file = join(folder, 'password');
  await writeFile(file, `${userOf(adminUrl).password}\n`);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await postgres.close();
});

async function run(databaseUrl: string, ...args: string[]): Promise<string> {
  const out: string[] = [];
  await migrateCommand(readServerConfig({ DATABASE_URL: databaseUrl }), args, (line) => out.push(line));
  return out.join('\n');
}
const protect = (databaseUrl: string, ...args: string[]) =>
  run(databaseUrl, '--protect', '--admin-password-file', file, '--admin-user', userOf(adminUrl).name, ...args);
const serverUrl = (password = 'of-the-server') => urlAs(adminUrl, ROLE, password);

describe('modfleet-server migrate --protect', () => {
  it('says what is wrong', async () => {
    const missing = join(folder, 'missing');
    const empty = join(folder, 'empty');
    await writeFile(empty, '\n');
    const wrong = join(folder, 'wrong');
    await writeFile(wrong, 'not-this-one\n');
    const withFile = (path: string, ...more: string[]) =>
      run(serverUrl(), '--protect', '--admin-password-file', path, ...more);
    await expect(run(serverUrl(), '--protect')).rejects.toThrow(/takes a superuser's password: --admin-password-file/);
    await expect(run(serverUrl(), '--admin-password-file', file)).rejects.toThrow(/belong to --protect/);
    await expect(withFile(missing)).rejects.toThrow(`${missing} cannot be read (ENOENT)`);
    await expect(withFile(empty)).rejects.toThrow(`${empty} is empty`);
    await expect(withFile(wrong, '--admin-user', userOf(adminUrl).name)).rejects.toThrow(
      /does not let \w+ in with the password in .*wrong: password authentication failed/,
    );
    await expect(protect(adminUrl)).rejects.toThrow(/logs in as \w+, the superuser: name the role/);
    const elsewhere = new URL(serverUrl());
    elsewhere.pathname = '/nosuch';
    await expect(protect(elsewhere.href)).rejects.toThrow(/database "nosuch" does not exist; create it/);
    const without = new URL(serverUrl());
    without.searchParams.delete('password');
    without.password = '';
    await expect(protect(without.href)).rejects.toThrow(/put the password into DATABASE_URL/);
    await expect(protect('postgresql://127.0.0.1:1/modfleet')).rejects.toThrow(/names no user/);
    await expect(protect(urlAs('postgresql://127.0.0.1:1/modfleet', ROLE, 'x'))).rejects.toMatchObject({
      code: 'database_unavailable',
    });
  });

  it("makes the server's role, migrates, and can be run again with another password", async () => {
    expect(await protect(serverUrl())).toMatch(
      new RegExp(`^applied 0001_init, .*0010_audit.*\nthe audit log belongs to modfleet_audit; ${ROLE} may only read`),
    );
    expect(await run(serverUrl())).toBe('the database is up to date');
    expect(await protect(serverUrl('another one'))).toMatch(/^the database is up to date\n/);
    expect(await run(serverUrl('another one'))).toBe('the database is up to date');
    await expect(run(serverUrl())).rejects.toThrow(/password authentication failed.*check user and password/);
  });
});
