import { mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SERVER_SOURCE } from '../audit/audit-source.ts';
import { token } from '../commands/token.ts';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { ApiServer } from '../testing/api-server.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { AccessRepository } from './access.repository.ts';
import { closeAdminToken, ensureAdminToken, rotateAdminToken } from './admin-token.ts';
import { AccessService } from './access.service.ts';
import { ApiTokenService } from './api-token.service.ts';
import { ROUTE_TABLE } from './route-table.ts';

let postgres: TestPostgres;
let server: ApiServer;
let tokens: ApiTokenService;

beforeAll(async () => {
  postgres = await startTestPostgres();
  server = await ApiServer.start((await postgres.createDatabase()).url);
  tokens = server.app.get(ApiTokenService);
});
afterAll(async () => {
  await server?.stop();
  await postgres?.close();
});

const asked = async (token: string | null, headers: Record<string, string> = {}) =>
  server.call('GET', '/api/v1/hosts', { token, headers });

describe('bearer tokens', () => {
  it('open the API', async () => {
    const { token } = await tokens.create('ops', 3600);
    expect((await asked(token)).status).toBe(200);
  });

  it('each failure has its own code', async () => {
    const expired = await tokens.create('expired', 0.001);
    const revoked = await tokens.create('revoked', null);
    await tokens.revoke(revoked.prefix, SERVER_SOURCE);
    expect(await asked(null)).toMatchObject({
      status: 401,
      body: { code: 'unauthenticated' },
      headers: { 'www-authenticate': 'Bearer realm="modfleet"' },
    });
    expect((await asked(`mfl_${'x'.repeat(43)}`)).body).toMatchObject({ status: 401, code: 'unauthenticated' });
    expect((await asked('short')).body.detail).toContain('no API token');
    expect((await asked(null, { authorization: 'Basic YTpi' })).body).toMatchObject({ code: 'unauthenticated' });
    expect((await asked(expired.token)).body).toMatchObject({ status: 401, code: 'token_expired' });
    expect((await asked(revoked.token)).body).toMatchObject({ status: 401, code: 'token_revoked' });
  });

  it('are stored as a hash only, and revoked by their shown beginning', async () => {
    const { token, prefix, id } = await tokens.create('secret', null);
    const [row] = await server.database.query<Record<string, unknown>>('SELECT * FROM api_token WHERE id = $1', [id]);
    const stored = JSON.stringify(row);
    expect(stored).not.toContain(token);
    expect(stored).not.toContain(token.slice(12));
    expect((await tokens.revoke(prefix, SERVER_SOURCE)).id).toBe(id);
    await expect(tokens.revoke(prefix, SERVER_SOURCE)).rejects.toMatchObject({ code: 'not_found' });
    await tokens.create('one', null);
    await tokens.create('two', null);
    await expect(tokens.revoke('mfl_', SERVER_SOURCE)).rejects.toMatchObject({ code: 'query_invalid' });
  });

  it('notes when a token was last used', async () => {
    const { token, id } = await tokens.create('used', null);
    await asked(token);
    await expect
      .poll(
        async () =>
          (
            await server.database.query<{ at: Date | null }>('SELECT last_used_at AS at FROM api_token WHERE id = $1', [
              id,
            ])
          )[0]?.at,
      )
      .toBeInstanceOf(Date);
  });
});

describe('the admin token', () => {
  it('is made once, kept at 0600, and made anew for another database', async () => {
    const stateDir = server.stateDir;
    const path = (await ensureAdminToken(stateDir, tokens)) ?? '';
    const first = (await readFile(path, 'utf8')).trim();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await asked(first)).status).toBe(200);
    await ensureAdminToken(stateDir, tokens);
    expect((await readFile(path, 'utf8')).trim()).toBe(first);
    await server.database.query(`DELETE FROM api_token WHERE prefix = $1`, [first.slice(0, 12)]);
    await ensureAdminToken(stateDir, tokens);
    const second = (await readFile(path, 'utf8')).trim();
    expect(second).not.toBe(first);
    await tokens.revoke(second.slice(0, 12), SERVER_SOURCE);
    await ensureAdminToken(stateDir, tokens);
    expect((await readFile(path, 'utf8')).trim()).toBe(second);
  });

  it('can be rotated, and closed for good', async () => {
    const { stateDir } = server;
    const path = (await ensureAdminToken(stateDir, tokens)) ?? '';
    const before = (await readFile(path, 'utf8')).trim();
    await rotateAdminToken(stateDir, tokens, SERVER_SOURCE);
    const after = (await readFile(path, 'utf8')).trim();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await asked(after)).status).toBe(200);
    await server.app.get(AccessService).changed();
    expect((await asked(before)).body).toMatchObject({ code: 'token_revoked' });
    await closeAdminToken(stateDir, tokens, SERVER_SOURCE);
    await server.app.get(AccessService).changed();
    expect((await asked(after)).body).toMatchObject({ code: 'token_revoked' });
    expect(await ensureAdminToken(stateDir, tokens)).toBeNull();
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(rotateAdminToken(stateDir, tokens, SERVER_SOURCE)).rejects.toMatchObject({ code: 'forbidden' });
  });
});

describe('the tokens that were made for the file', () => {
  const lines = async (): Promise<string[]> => {
    const said: string[] = [];
    await token(config(), ['list'], (line) => said.push(line));
    return said;
  };
  const config = () => server.app.get<ServerConfig>(SERVER_CONFIG);
  const held = async (stateDir: string) => (await readFile(join(stateDir, 'admin-token'), 'utf8')).trim();
  const status = async (secret: string) => (await asked(secret)).status;
  let stateDir: string;
  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'modfleet-admin-token-'));
    await server.database.query(`DELETE FROM api_token WHERE name = 'admin'`);
  });
  afterEach(() => rm(stateDir, { recursive: true }));

  it('all end by rotating, whatever became of the file; the prefixes are told', async () => {
    const secrets: string[] = [];
    for (const after of ['', 'garbage\n', undefined]) {
      await ensureAdminToken(stateDir, tokens);
      secrets.push(await held(stateDir));
      if (after === undefined) await rm(join(stateDir, 'admin-token'));
      else await writeFile(join(stateDir, 'admin-token'), after);
    }
    // As an earlier server made it: not marked.
    const { token: old } = await tokens.create('admin', null);
    await server.database.query('UPDATE api_token SET bootstrap = NULL WHERE prefix = $1', [old.slice(0, 12)]);
    const other = await tokens.create('ops', null);
    for (const secret of [...secrets, old]) expect(await status(secret)).toBe(200);
    const { ended } = await rotateAdminToken(stateDir, tokens, SERVER_SOURCE);
    expect([...ended].sort()).toEqual([...secrets, old].map((secret) => secret.slice(0, 12)).sort());
    await server.app.get(AccessService).changed();
    for (const secret of [...secrets, old]) expect(await status(secret)).toBe(401);
    expect(await status(await held(stateDir))).toBe(200);
    expect(await status(other.token)).toBe(200);
  });

  it('all end by closing, also one that was made in the middle of it', async () => {
    await ensureAdminToken(stateDir, tokens);
    const first = await held(stateDir);
    await rename(join(stateDir, 'admin-token'), join(stateDir, 'moved'));
    await ensureAdminToken(stateDir, tokens);
    const second = await held(stateDir);
    const ended = await closeAdminToken(stateDir, tokens, SERVER_SOURCE);
    expect([...ended].sort()).toEqual([first, second].map((secret) => secret.slice(0, 12)).sort());
    expect(await ensureAdminToken(stateDir, tokens)).toBeNull();
    // A start that had looked before the mark was there.
    await tokens.createBootstrap(
      () => Promise.resolve(false),
      () => Promise.reject(new Error('nothing is to be kept')),
    );
    expect(await server.database.query('SELECT 1 FROM api_token WHERE bootstrap AND revoked_at IS NULL')).toEqual([]);
  });

  it('are not good before they are kept: what cannot be written changes nothing', async () => {
    await ensureAdminToken(stateDir, tokens);
    const secret = await held(stateDir);
    const failing = tokens.endBootstrap(secret, () => Promise.reject(new Error('disk full')), SERVER_SOURCE);
    await expect(failing).rejects.toThrow('disk full');
    expect(await status(secret)).toBe(200);
  });

  it('do not take off their mark: without it they give nothing', async () => {
    await ensureAdminToken(stateDir, tokens);
    const secret = await held(stateDir);
    await server.database.query('UPDATE api_token SET bootstrap = false WHERE prefix = $1', [secret.slice(0, 12)]);
    await server.app.get(AccessService).changed();
    expect((await asked(secret)).body).toMatchObject({ code: 'access_seal_broken' });
  });

  it('are listed on the server as what they are', async () => {
    const made = async (name: string, seconds: number | null = null) => (await tokens.create(name, seconds)).prefix;
    const open = await made('l-open');
    const expired = await made('l-expired', 0.001);
    const tampered = await made('l-tampered');
    await tokens.revoke(tampered, SERVER_SOURCE);
    await server.database.query('UPDATE api_token SET revoked_at = NULL WHERE prefix = $1', [tampered]);
    const disabled = await made('l-disabled');
    await server.database.tx('READ COMMITTED', async (sql) => {
      const [account] = await sql.query<{ id: string }>(`SELECT id FROM account WHERE name = 'l-disabled'`);
      await server.app.get(AccessRepository).setDisabled(sql, account?.id ?? '', 'tests', true);
    });
    const said = await lines();
    const stateOf = (prefix: string) => said.find((line) => line.startsWith(prefix))?.split('\t')[3];
    expect(stateOf(open)).toBe('open');
    expect(stateOf(expired)).toMatch(/^expired /);
    expect(stateOf(tampered)).toBe('changed outside the server');
    expect(stateOf(disabled)).toMatch(/^(account disabled|revoked .*)$/);
  });
});

describe('the route table', () => {
  const rows = Object.entries(ROUTE_TABLE).map(([key, rule]) => ({
    key,
    rule,
    method: key.split(' ')[0] ?? '',
    url: key.split(' ')[1] ?? '',
  }));

  it('has no row for a route that is not there', () => {
    const fastify = server.app.getHttpAdapter().getInstance();
    const missing = rows.filter(({ method, url }) => !fastify.hasRoute({ method, url }));
    expect(missing).toEqual([]);
  });

  it.each(rows.filter(({ rule }) => rule.access === 'caller'))(
    '$key needs a token before anything else',
    async ({ method, url }) => {
      const path = url.replaceAll(/:\w+/g, 'x');
      const answer = await server.call(method as 'GET', path, {
        token: null,
        ...(method === 'GET' ? {} : { text: '{broken' }),
      });
      expect(answer).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
    },
  );

  it.each(rows.filter(({ rule }) => rule.change === true))('$key needs an Idempotency-Key', async ({ method, url }) => {
    const path = url.replaceAll(/:\w+/g, 'x');
    const answer = await server.call(method as 'POST', path, { body: {}, headers: { 'idempotency-key': '' } });
    expect(answer).toMatchObject({ status: 400, body: { code: 'idempotency_key_required' } });
  });

  it('hides even what is not there from those without a token', async () => {
    expect((await server.call('GET', '/api/v1/secret', { token: null })).status).toBe(401);
    expect((await server.call('GET', '/api/v1/secret')).body).toMatchObject({ status: 404, code: 'not_found' });
    expect((await server.call('PUT', '/api/v1/hosts', { body: {} })).body).toMatchObject({
      status: 405,
      code: 'method_not_allowed',
    });
  });

  it('leaves health open, and metrics on loopback', async () => {
    for (const path of ['/healthz', '/readyz'])
      expect((await server.call('GET', path, { token: null })).status).toBe(200);
    const metrics = await server.app.inject({ method: 'GET', url: '/metrics' });
    expect(metrics.statusCode).toBe(200);
    expect(metrics.payload).toContain('modfleet_http_request_seconds_count');
    expect(metrics.payload).toContain('nodejs_eventloop_lag_seconds');
  });
});

describe('behind a proxy', () => {
  it('metrics need a token too: the proxy is on loopback, its callers are not', async () => {
    const proxied = await ApiServer.start((await postgres.createDatabase()).url, {
      MODFLEET_TRUSTED_PROXY: '127.0.0.1',
    });
    try {
      expect((await proxied.call('GET', '/metrics', { token: null })).body).toMatchObject({ code: 'unauthenticated' });
      expect(
        (
          await proxied.app.inject({
            method: 'GET',
            url: '/metrics',
            headers: { authorization: `Bearer ${proxied.token}` },
          })
        ).statusCode,
      ).toBe(200);
    } finally {
      await proxied.stop();
    }
  });
});
