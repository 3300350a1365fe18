import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestFleet } from '../support/fleet.ts';

/** What `modfleet-server` says to what goes wrong on its machine: a sentence with the thing and the way out, never a stack. */
describe('modfleet-server', () => {
  let fleet: TestFleet;
  let emptyUrl: string;
  let admin: pg.Client;

  beforeAll(async () => {
    fleet = await TestFleet.start();
    admin = new pg.Client({ connectionString: fleet.databaseUrl });
    await admin.connect();
    await admin.query('CREATE DATABASE nothing_in_it');
    const url = new URL(fleet.databaseUrl);
    url.pathname = '/nothing_in_it';
    emptyUrl = url.href;
  });
  afterAll(async () => {
    await admin.end();
    await fleet.stop();
  });

  async function says(
    args: readonly string[],
    words: readonly string[],
    { settings = {}, code = 1 }: { settings?: Readonly<Record<string, string>>; code?: number } = {},
  ): Promise<void> {
    const end = await fleet.killedCommand(settings, ...args);
    for (const word of words) expect(end.stderr).toContain(word);
    expect(end.stderr).not.toMatch(/\n +at /);
    expect([args, end.code]).toEqual([args, code]);
  }

  it('names a CA’s file that cannot be read, and does not blame the database', async () => {
    const key = join(fleet.folder, 'some.key');
    const cert = join(fleet.folder, 'server/ca/ca.crt');
    writeFileSync(key, '-----BEGIN ENCRYPTED PRIVATE KEY-----\n');
    const given = (...options: string[]): string[] => ['ca', 'rotate', 'begin', ...options];
    await says(given('--cert-file', '/none/a', '--key-file', '/none/b'), ['/none/a cannot be read (ENOENT)']);
    await says(given('--cert-file', cert, '--key-file', '/none/b'), ['/none/b cannot be read (ENOENT)']);
    await says(given('--cert-file', cert, '--key-file', key, '--key-passphrase-file', '/none/c'), [
      '/none/c cannot be read (ENOENT)',
    ]);
    await says(['ca', 'show'], ['/none/a cannot be read'], {
      settings: { MODFLEET_CA_CERT_FILE: '/none/a', MODFLEET_CA_KEY_FILE: '/none/b' },
    });
  });

  it('says of a database that is not its own which setting names it', async () => {
    for (const args of [
      ['token', 'list'],
      ['ca', 'show'],
      ['audit', 'verify'],
      ['epoch', 'show'],
    ])
      await says(args, ['DATABASE_URL', 'modfleet-server migrate'], { settings: { DATABASE_URL: emptyUrl } });
    await says(['token', 'list'], ['DATABASE_URL', 'createdb'], {
      settings: { DATABASE_URL: emptyUrl.replace('nothing_in_it', 'none') },
    });
  });

  it('names the option, the setting or the port', async () => {
    await says(['audit', 'protect', '--role', 'x', '--role-password-file', '/none'], ['--role-password-file: /none'], {
      code: 2,
    });
    await says(['audit', 'protect', '--admin-url-file', '/none'], ['--admin-url-file: /none'], { code: 2 });
    for (const proxy of ['garbage', '*', 'true', '127.0.0.1/33'])
      await says(['serve'], ['MODFLEET_TRUSTED_PROXY'], { settings: { MODFLEET_TRUSTED_PROXY: proxy }, code: 2 });
    const busy = new URL(fleet.http).host;
    for (const setting of ['MODFLEET_HTTP_LISTEN', 'MODFLEET_SESSION_LISTEN', 'MODFLEET_IDENTITY_LISTEN']) {
      const free = {
        MODFLEET_HTTP_LISTEN: '127.0.0.1:0',
        MODFLEET_SESSION_LISTEN: '127.0.0.1:0',
        MODFLEET_IDENTITY_LISTEN: '127.0.0.1:0',
      };
      await says(['serve'], ['in use', setting], { settings: { ...free, [setting]: busy } });
    }
  });

  it('tells a wrong word on the command line with the right ones', async () => {
    await says(['ca', 'show', 'x'], ['"ca show" takes no argument', 'modfleet-server ca show'], { code: 2 });
    await says(['ca', 'rotate', 'issue', '--strnd', '1'], ['--strnd', 'modfleet-server ca rotate issue'], { code: 2 });
    await says(['epoch', 'raise', '--dryrun'], ['--dryrun', 'modfleet-server epoch raise [--dry-run]'], { code: 2 });
  });

  it('shows a host’s name so that it writes nowhere else on the screen', async () => {
    await admin.query(`INSERT INTO host (id, name, key_fingerprint) VALUES (gen_random_uuid(), $1, '\\x00')`, [
      'a\u202eb',
    ]);
    await fleet.serverCommand('ca', 'rotate', 'begin');
    const end = await fleet.serverCommand('ca', 'rotate', 'issue');
    expect(end.stderr).toContain('a\\u202eb (silent');
    const shown = await fleet.serverCommand('ca', 'show');
    expect(shown.stdout).toContain('a\\u202eb (silent)');
    expect(shown.stdout).not.toContain('\u202e');
  });

  it('makes no other seal key or CA for a database that was sealed under one', async () => {
    await fleet.stopServer();
    const [keys, ca] = [join(fleet.folder, 'server/keys/seal.key'), join(fleet.folder, 'server/ca')];
    renameSync(keys, `${keys}.away`);
    await says(['serve'], [`There is no ${keys}`, 'MODFLEET_STATE_DIR', 'When keys are lost']);
    await says(['token', 'create', '--name', 'x'], [`There is no ${keys}`]);
    renameSync(`${keys}.away`, keys);
    renameSync(ca, `${ca}.away`);
    await says(['serve'], [`There is no CA in ${ca}`, 'a host trusts', 'MODFLEET_STATE_DIR']);
    await says(['ca', 'show'], [`There is no CA in ${ca}`]);
    rmSync(ca, { recursive: true, force: true });
    renameSync(`${ca}.away`, ca);
    await fleet.startServer();
  });

  it('goes on under keys that somebody made on purpose, when the old ones are lost for good', async () => {
    await fleet.stopServer();
    const [keys, ca] = [join(fleet.folder, 'server/keys/seal.key'), join(fleet.folder, 'server/ca')];
    rmSync(ca, { recursive: true });
    mkdirSync(ca, { mode: 0o700 });
    // As `openssl genpkey` makes them (docs/operations.md).
    const pem = { type: 'pkcs8', format: 'pem' } as const;
    writeFileSync(keys, generateKeyPairSync('x25519').privateKey.export(pem));
    writeFileSync(join(ca, 'ca.key'), generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(pem));
    await fleet.startServer();
    const { stdout, stderr } = await fleet.serverCommand('token', 'create', '--name', 'way-back');
    expect(stderr).toBe('');
    const authorization = `Bearer ${stdout.trim()}`;
    expect((await fleet.api('GET', '/api/v1/hosts', undefined, { authorization })).status).toBe(200);
    expect((await fleet.serverCommand('admin-token', 'rotate')).stderr).toBe('');
    const admin = `Bearer ${readFileSync(join(fleet.folder, 'server/admin-token'), 'utf8').trim()}`;
    expect((await fleet.api('GET', '/api/v1/hosts', undefined, { authorization: admin })).status).toBe(200);
    expect((await fleet.serverCommand('ca', 'show')).stdout).toMatch(/^phase +single/);
  });
});
