import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readServerConfig, type ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { ApiServer } from '../testing/api-server.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { audit } from './audit.ts';

const ROLE = `modfleet_${process.pid}`;

let adminUrl: string;
let roleUrl: string;
let folder: string;
onTestDatabase(async (url) => {
  adminUrl = url;
  const changed = new URL(url);
  changed.username = ROLE;
  changed.password = 'of-the-server';
  roleUrl = changed.href;
  return { stop: () => Promise.resolve() };
});
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modfleet-audit-command-'));
  await writeFile(join(folder, 'password'), 'of-the-server\n');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const configOf = (databaseUrl: string, stateDir = folder): ServerConfig =>
  readServerConfig({ DATABASE_URL: databaseUrl, MODFLEET_STATE_DIR: stateDir });
const run = async (config: ServerConfig, ...args: string[]): Promise<{ code: number; out: string }> => {
  const out: string[] = [];
  const code = await audit(config, args, (line) => out.push(line));
  return { code, out: out.join('\n') };
};
const protectArgs = () => ['protect', '--role', ROLE, '--role-password-file', join(folder, 'password')];

describe('modfleet-server audit protect', () => {
  it('refuses to call a superuser kept out, and says the way out', async () => {
    await expect(run(configOf(adminUrl), 'protect')).rejects.toThrow(/superuser.*--role NAME/);
  });

  it('prints what it would do, without a password', async () => {
    const { out } = await run(configOf(adminUrl), ...protectArgs(), '--print');
    expect(out).toContain(`GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA audit TO "${ROLE}"`);
    expect(out).not.toContain('of-the-server');
  });

  it('makes an ordinary role for the server that can only read and append, and that everything works with', async () => {
    const { out } = await run(configOf(adminUrl), ...protectArgs());
    expect(out).toContain(`set DATABASE_URL to log in as ${ROLE}`);
    // Again, as the role that has it already: needs somebody else's rights.
    await expect(run(configOf(roleUrl), 'protect')).rejects.toThrow(/takes a superuser.*--admin-url-file/);
    await writeFile(join(folder, 'admin-url'), adminUrl);
    expect((await run(configOf(roleUrl), 'protect', '--admin-url-file', join(folder, 'admin-url'))).code).toBe(0);

    const server = await ApiServer.start(roleUrl);
    try {
      const freeze = await server.call('POST', '/api/v1/freeze', { body: { reason: 'protected' } });
      expect(freeze.status).toBe(200);
      for (const statement of [
        `UPDATE audit.entry SET actor_name = 'x'`,
        'DELETE FROM audit.entry',
        'TRUNCATE audit.entry',
        'DELETE FROM audit.seal',
        'DROP TABLE audit.entry',
        'DROP SCHEMA audit CASCADE',
        'ALTER SCHEMA audit RENAME TO old',
        'ALTER TABLE audit.entry DISABLE TRIGGER USER',
        'ALTER TABLE audit.entry RENAME TO old',
        'DROP TRIGGER entry_append_only ON audit.entry',
        'CREATE TRIGGER hides BEFORE INSERT ON audit.entry FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
        'CREATE RULE hides AS ON INSERT TO audit.entry DO INSTEAD NOTHING',
        'SET ROLE modfleet_audit',
        `GRANT modfleet_audit TO ${ROLE}`,
      ])
        await expect(server.database.query(statement), statement).rejects.toMatchObject({ code: '42501' });
    } finally {
      await server.stop();
    }
  });

  it('is what verification then reports', async () => {
    const server = await ApiServer.start(roleUrl);
    const { stateDir } = server;
    await server.call('POST', '/api/v1/thaw', { body: {} });
    await server.app.close();
    const config = configOf(roleUrl, stateDir);
    // The server that was there before had other keys: its rows are not this one's.
    const { code, out } = await run(config, 'verify');
    expect(out).toContain(`append-only: enforced: the server's role ${ROLE} may only read and append`);
    expect([code, out.includes('row_changed')]).toEqual([1, true]);
    await rm(stateDir, { recursive: true, force: true });
  });
});

describe('modfleet-server audit verify', () => {
  it('makes no keys where there are none, and can do with the public one', async () => {
    await expect(run(configOf(adminUrl), 'verify')).rejects.toThrow(/seal\.key.*--public-key FILE/);
    const database = new DatabaseService({ databaseUrl: adminUrl, dbPoolSize: 2 });
    for (const table of ['audit.entry', 'audit.seal'])
      await database.query(
        `ALTER TABLE ${table} DISABLE TRIGGER USER; DELETE FROM ${table}; ALTER TABLE ${table} ENABLE TRIGGER USER`,
      );
    await database.query('DELETE FROM audit_lane');
    await database.onApplicationShutdown();
    const server = await ApiServer.start(adminUrl);
    await server.call('POST', '/api/v1/freeze', { body: { reason: 'for the auditor' } });
    await server.app.close();
    const config = configOf(adminUrl, server.stateDir);
    const whole = await run(config, 'verify');
    expect(whole.out).toMatch(
      /^The audit log is whole, as far as it can be proven\.\nrows: \d+, (\d+) of them sealed; without a seal: 0\n/,
    );
    expect(whole.code).toBe(0);
    const auditor = join(server.stateDir, 'audit');
    const outside = await run(
      configOf(adminUrl),
      'verify',
      '--public-key',
      join(auditor, 'seal-public.pem'),
      '--seals',
      join(auditor, 'seals.jsonl'),
    );
    expect(outside).toMatchObject({
      code: 0,
      out: expect.stringContaining('not proven: whether rows agree with their macs'),
    });
    const file = join(auditor, 'seals.jsonl');
    await writeFile(file, (await readFile(file, 'utf8')).replace('"term":', '"term":1'));
    expect(await run(config, 'verify')).toMatchObject({ code: 1, out: expect.stringContaining('export_damaged') });
    await rm(server.stateDir, { recursive: true, force: true });
  });
});
