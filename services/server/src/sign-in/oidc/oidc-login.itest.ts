import { Logger } from '@nestjs/common';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { AccessRepository } from '../../access/access.repository.ts';
import { MAPPED_BY } from '../../access/access.rows.ts';
import { AccessService } from '../../access/access.service.ts';
import { lockMappedGrants } from '../../access/grant.queries.ts';
import { AuditService } from '../../audit/audit.service.ts';
import { SERVER_CONFIG, type ServerConfig } from '../../config/server-config.ts';
import { ApiServer } from '../../testing/api-server.ts';
import { comesTrue } from '../../testing/comes-true.ts';
import { onTestDatabase } from '../../testing/on-test-database.ts';
import type { SignedIn } from '../sign-in-answer.ts';
import { Browser, CLIENT_ID, IdentityProvider } from '../testing/identity-provider.ts';
import { clientSecretFile } from '../testing/client-secret-file.ts';
import { GroupGrants } from './group-grants.service.ts';
import { addPerson, hashCheaply, logIn } from '../testing/people.ts';

const PUBLIC_URL = 'https://modfleet.example.org';
const CALLBACK = `${PUBLIC_URL}/api/v1/oidc/callback`;
const PAGE = { accept: 'text/html,application/xhtml+xml' };

const secretFile = clientSecretFile();
let server: ApiServer;
let provider: IdentityProvider;
onTestDatabase(async (url) => {
  provider = await IdentityProvider.start({ redirectUri: CALLBACK });
  server = await ApiServer.start(url, {
    MODFLEET_PUBLIC_URL: PUBLIC_URL,
    MODFLEET_OIDC_ISSUER: provider.issuer,
    MODFLEET_OIDC_CLIENT_ID: CLIENT_ID,
    MODFLEET_OIDC_CLIENT_SECRET_FILE: secretFile,
    MODFLEET_OIDC_GRANTS: 'admin from platform; operator over env=staging from sre',
    MODFLEET_OIDC_MAKE_ACCOUNTS: 'yes',
  });
  hashCheaply(server);
  return {
    stop: async () => {
      await server.stop();
      await provider.stop();
    },
  };
});
beforeEach(async () => {
  await empty();
  provider.person = { subject: 'sub-1', name: 'kim', email: 'kim@example.org', groups: ['sre'] };
});
const empty = () =>
  server.database.query(
    'TRUNCATE sign_in, account_password, account_identity, login_counter, access_grant, api_token, account, idempotency_key CASCADE',
  );

interface Returned {
  readonly status: number;
  readonly payload: string;
  readonly cookies: Readonly<Record<string, string>>;
}

/** A browser that is sent to the provider: where it comes back to, and what it kept. */
async function sent(returnTo = '/hosts?q=1', person = new Browser()): Promise<{ callback: string; kept: string }> {
  const start = await server.app.inject({
    method: 'GET',
    url: `/api/v1/oidc/start?returnTo=${encodeURIComponent(returnTo)}`,
  });
  expect(start.statusCode).toBe(302);
  const line = String(start.headers['set-cookie']);
  expect(line).toMatch(/^__Host-modfleet-oidc=[A-Za-z0-9_-]+; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=600$/);
  const back = await person.open(String(start.headers.location), CALLBACK);
  const { pathname, search } = new URL(back.url);
  return { callback: pathname + search, kept: line.split(';')[0] ?? '' };
}

async function returned(
  { callback, kept }: { callback: string; kept: string },
  headers: object = PAGE,
): Promise<Returned> {
  const answer = await server.app.inject({
    method: 'GET',
    url: callback,
    headers: { cookie: kept, ...headers },
    remoteAddress: '127.0.0.1',
  });
  const lines = [answer.headers['set-cookie'] ?? []].flat();
  const cookies = Object.fromEntries(lines.map((line) => (line.split(';')[0] ?? '').split('=', 2) as [string, string]));
  return { status: answer.statusCode, payload: answer.payload, cookies };
}

const me = async (cookies: Returned['cookies'], path = '/api/v1/hosts') =>
  server.app.inject({
    method: 'GET',
    url: path,
    headers: { cookie: `__Host-modfleet=${cookies['__Host-modfleet'] ?? ''}` },
  });
const grants = () =>
  server.database.query<{ role: string; selector: string | null; created_by: string }>(
    'SELECT role, selector, created_by FROM access_grant WHERE revoked_at IS NULL ORDER BY role',
  );

describe('a browser that signs in at the identity provider', () => {
  it('comes back signed in, with the rights of its groups, and goes on to where it wanted', async () => {
    const done = await returned(await sent());
    expect(done.status).toBe(200);
    expect(done.cookies['__Host-modfleet']).toMatch(/^mfs_/);
    expect(done.cookies['__Host-modfleet-oidc']).toBe('');
    expect(done.payload).toContain('You are signed in as kim.');
    expect(done.payload).toContain('content="0; url=/hosts?q=1"');
    expect((await me(done.cookies)).statusCode).toBe(200);
    expect(await grants()).toEqual([
      { role: 'operator', selector: 'env in (staging)', created_by: 'identity provider' },
    ]);
    const decided = await server.database.query<{ what: string }>(
      `SELECT what FROM audit.entry WHERE actor_name = 'kim' ORDER BY at, number`,
    );
    expect(decided.map(({ what }) => what)).toEqual(['account.create', 'grant.add', 'sign_in.start']);
  });

  it('is the same account the next time, whatever its name and address are by then', async () => {
    await returned(await sent());
    provider.person = { subject: 'sub-1', name: 'kim.new', email: 'other@example.org', groups: ['sre'] };
    expect((await returned(await sent())).payload).toContain('signed in as kim.');
    expect(await server.database.query('SELECT name FROM account')).toEqual([{ name: 'kim' }]);
  });

  it('gains and loses rights with its groups; what an admin gave stays', async () => {
    await returned(await sent());
    const [account] = await server.database.query<{ id: string }>('SELECT id FROM account');
    const accountId = account?.id ?? '';
    const given = { accountId, role: 'viewer', selector: null, createdBy: 'boss' } as const;
    await server.app.get(AccessRepository).addGrant(server.database, given);
    provider.person = { subject: 'sub-1', name: 'kim', groups: ['platform', 'unheard-of'] };
    await returned(await sent());
    expect(await grants()).toEqual([
      { role: 'admin', selector: null, created_by: 'identity provider' },
      { role: 'viewer', selector: null, created_by: 'boss' },
    ]);
    provider.person = { subject: 'sub-1', name: 'kim', groups: [] };
    expect((await returned(await sent())).status).toBe(200);
    expect(await grants()).toEqual([{ role: 'viewer', selector: null, created_by: 'boss' }]);
  });

  describe('whose group gave a right, with an API token', () => {
    const hosts = async (token: string) => (await server.call('GET', '/api/v1/hosts', { token })).status;
    /** Signed in, with a token that does not end; as long ago as `ends_at` is moved back. */
    async function withToken(): Promise<{ token: string; accountId: string }> {
      provider.person = { subject: 'sub-1', name: 'kim', groups: ['platform'] };
      const done = await returned(await sent());
      const [account] = await server.database.query<{ id: string }>(`SELECT id FROM account WHERE name = 'kim'`);
      const accountId = account?.id ?? '';
      expect((await me(done.cookies)).statusCode).toBe(200);
      const wanted = { accountId, name: 'laptop', routes: null, expiresInSeconds: null, createdBy: 'kim' };
      const { secret } = await server.app.get(AccessRepository).createToken(server.database, wanted);
      return { token: secret, accountId };
    }
    /** As if the sign-in had been begun `hours` ago: its end and that of the grant, sealed as the server seals it. */
    const later = async (accountId: string, hours: number): Promise<void> => {
      const repository = server.app.get(AccessRepository);
      for (const row of await lockMappedGrants(server.database, accountId))
        if (row.ends_at !== null)
          await repository.renewGrant(server.database, row, new Date(row.ends_at.getTime() - hours * 3_600_000));
      await server.app.get(AccessService).changed();
    };

    it('has it until the sign-in ends at the latest, and again from the next sign-in on', async () => {
      const { token, accountId } = await withToken();
      await later(accountId, 11);
      expect(await hosts(token)).toBe(200);
      await later(accountId, 1);
      expect(await hosts(token)).toBe(403);
      const [row] = await lockMappedGrants(server.database, accountId);
      expect(row).toMatchObject({ role: 'admin', ended: true, revoked_at: null });
      await returned(await sent());
      expect(await hosts(token)).toBe(200);
    });

    it('cannot have it longer by the database', async () => {
      const { token } = await withToken();
      for (const end of ["'2100-01-01'", 'NULL', "'infinity'"]) {
        await server.database.query(`UPDATE access_grant SET ends_at = ${end}, created_by = 'boss'`);
        await server.app.get(AccessService).changed();
        expect((await server.call('GET', '/api/v1/hosts', { token })).body.code).toBe('access_seal_broken');
      }
      // The next sign-in does not make it whole: another takes its place.
      await server.database.query(`UPDATE access_grant SET created_by = 'identity provider', ends_at = '2100-01-01'`);
      await returned(await sent());
      expect(await hosts(token)).toBe(200);
      expect(await server.database.query('SELECT 1 FROM access_grant WHERE revoked_at IS NOT NULL')).toHaveLength(1);
    });

    it('loses it at the start of a server that has no such rule any more', async () => {
      const { token } = await withToken();
      const { app, database } = server;
      const parts = [database, app.get(AccessRepository), app.get(AccessService), app.get(AuditService)] as const;
      await new GroupGrants(...parts, app.get<ServerConfig>(SERVER_CONFIG)).onApplicationBootstrap();
      expect(await hosts(token)).toBe(200);
      const config = { ...app.get<ServerConfig>(SERVER_CONFIG), oidc: null };
      await new GroupGrants(...parts, config).onApplicationBootstrap();
      expect(await grants()).toEqual([]);
      expect(await hosts(token)).toBe(403);
      const decided = await database.query(
        `SELECT actor_name, details FROM audit.entry WHERE what = 'grant.remove' ORDER BY at DESC LIMIT 1`,
      );
      expect(decided).toMatchObject([
        { actor_name: 'server', details: expect.stringContaining('no rule of MODFLEET_OIDC_GRANTS') },
      ]);
    });

    it('of an earlier server has nothing by it until the start has given it an end', async () => {
      const { token, accountId } = await withToken();
      const repository = server.app.get(AccessRepository);
      await server.database.query('DELETE FROM access_grant');
      const old = { accountId, role: 'admin', selector: null, createdBy: MAPPED_BY } as const;
      await repository.addGrant(server.database, old);
      await server.app.get(AccessService).changed();
      expect(await hosts(token)).toBe(403);
      await server.app.get(GroupGrants).endUnruled();
      expect(await hosts(token)).toBe(200);
      const [row] = await lockMappedGrants(server.database, accountId);
      const [signIn] = await server.database.query<{ expires_at: Date }>('SELECT expires_at FROM sign_in');
      expect(row?.ends_at).toEqual(signIn?.expires_at);
      // Without a sign-in that is open it is ended.
      await server.database.query('DELETE FROM access_grant');
      await server.database.query('DELETE FROM sign_in');
      await repository.addGrant(server.database, old);
      expect(await server.app.get(GroupGrants).endUnruled()).toBe(1);
      expect(await hosts(token)).toBe(403);
    });
  });

  it('who is admin by a group is not the last admin, and who is it for good is not stripped meanwhile', async () => {
    await addPerson(server, 'boss', { role: 'admin' });
    const token = (await logIn(server, 'boss')).body.secret ?? '';
    provider.person = { subject: 'sub-1', name: 'kim', groups: ['platform'] };
    await returned(await sent());
    const refused = await server.call('POST', '/api/v1/accounts/boss/disable', { token, body: {} });
    expect(refused.body).toMatchObject({ code: 'last_admin', detail: expect.stringContaining('what a group gives') });
  });

  it('says so in the log when its group was what made the last admin', async () => {
    const said: unknown[] = [];
    const spy = vi.spyOn(Logger.prototype, 'error').mockImplementation((line: unknown) => void said.push(line));
    provider.person = { subject: 'sub-1', name: 'kim', groups: ['platform'] };
    await returned(await sent());
    provider.person = { subject: 'sub-1', name: 'kim', groups: ['sre'] };
    await returned(await sent());
    spy.mockRestore();
    expect(JSON.stringify(said)).toContain('modfleet-server token create --name NAME');
  });

  it('is nobody without a group that gives a right', async () => {
    provider.person = { subject: 'sub-2', name: 'guest', groups: ['everybody'] };
    const refused = await returned(await sent());
    expect([refused.status, refused.cookies['__Host-modfleet']]).toEqual([401, undefined]);
    expect(refused.payload).toContain('none of your groups');
    expect(await server.database.query('SELECT 1 FROM account')).toEqual([]);
  });

  it('never becomes an account that is there already, by its name or address', async () => {
    await addPerson(server, 'kim', { role: 'admin' });
    await addPerson(server, 'kim@example.org', { role: 'admin' });
    const refused = await returned(await sent());
    expect(refused.status).toBe(401);
    expect(refused.payload).toContain('modfleet accounts link kim --subject sub-1');
  });

  it('becomes the account that an admin linked it to', async () => {
    await addPerson(server, 'kim');
    await addPerson(server, 'boss', { role: 'admin' });
    const token = (await logIn(server, 'boss')).body.secret ?? '';
    const link = (key: string) =>
      server.call<{ issuer?: string; code?: string }>('POST', '/api/v1/accounts/kim/identities', {
        token,
        body: { subject: 'sub-1' },
        headers: { 'idempotency-key': key },
      });
    expect((await link('1')).body.issuer).toBe(provider.issuer);
    expect((await link('2')).body.code).toBe('account_exists');
    expect((await returned(await sent())).payload).toContain('signed in as kim.');
    expect(await server.database.query('SELECT 1 FROM account')).toHaveLength(2);
  });

  it('is nobody after its identity was unlinked, also while that is being done', async () => {
    await addPerson(server, 'boss', { role: 'admin' });
    const token = (await logIn(server, 'boss')).body.secret ?? '';
    const first = await returned(await sent());
    expect((await me(first.cookies)).statusCode).toBe(200);
    const came = await sent();
    let coming: Promise<Returned> | undefined;
    await server.database.tx('READ COMMITTED', async (sql) => {
      await sql.query('DELETE FROM account_identity');
      coming = returned(came);
      await comesTrue(async () =>
        expect(await server.database.query('SELECT 1 FROM pg_locks WHERE NOT granted')).toHaveLength(1),
      );
    });
    // The name is taken, and is no proof.
    expect((await coming)?.status).toBe(401);
    await server.call('POST', '/api/v1/accounts/kim/identities', { token, body: { subject: 'sub-1' } });
    const again = await returned(await sent());
    const unlinked = { token, body: { subject: 'sub-1' } };
    const { body } = await server.call<object>('DELETE', '/api/v1/accounts/kim/identities', unlinked);
    expect(body).toMatchObject({ signInsEnded: 2, left: { password: 'none', identities: [], groupGrants: 1 } });
    expect((await me(again.cookies)).statusCode).toBe(401);
    const refused = await returned(await sent());
    expect([refused.status, refused.cookies['__Host-modfleet']]).toEqual([401, undefined]);
    expect(refused.payload).toContain('modfleet accounts link kim --subject sub-1');
  });

  it('is refused as a disabled account, which is left as it is', async () => {
    await returned(await sent());
    const [account] = await server.database.query<{ id: string }>('SELECT id FROM account');
    await server.database.tx('READ COMMITTED', (sql) =>
      server.app.get(AccessRepository).setDisabled(sql, account?.id ?? '', 'boss', true),
    );
    provider.person = { subject: 'sub-1', name: 'kim', groups: ['platform'] };
    const refused = await returned(await sent());
    expect([refused.status, refused.cookies['__Host-modfleet']]).toEqual([403, undefined]);
    expect(await grants()).toMatchObject([{ role: 'operator' }]);
  });

  it('is refused when its link was changed in the database', async () => {
    const boss = await addPerson(server, 'boss', { role: 'admin' });
    await returned(await sent());
    await server.database.query('UPDATE account_identity SET account_id = $1', [boss]);
    const refused = await returned(await sent());
    expect(refused.status).toBe(401);
    expect(refused.payload).toContain('changed outside the server');
  });

  it.each([
    ['with the cookie of another sign-in', async () => ({ ...(await sent()), kept: (await sent()).kept })],
    ['without its cookie', async () => ({ ...(await sent()), kept: '' })],
    ['with a cookie that it made up', async () => ({ ...(await sent()), kept: '__Host-modfleet-oidc=AAAA' })],
    [
      'with another state',
      async () => {
        const came = await sent();
        return { ...came, callback: came.callback.replace(/state=[^&]+/, 'state=other') };
      },
    ],
  ])('is refused %s', async (_words, come) => {
    const refused = await returned(await come());
    expect([refused.status, refused.cookies['__Host-modfleet']]).toEqual([401, undefined]);
  });

  it('is refused when it comes a second time', async () => {
    const came = await sent();
    expect((await returned(came)).status).toBe(200);
    expect((await returned(came)).status).toBe(401);
  });

  it('goes to no other site afterwards, and a program gets a problem document', async () => {
    for (const returnTo of ['//evil.example', 'https://evil.example', '/\\evil.example', 'x', '/a b']) {
      const url = `/api/v1/oidc/start?returnTo=${encodeURIComponent(returnTo)}`;
      expect((await server.call('GET', url, { token: null })).body.code).toBe('query_invalid');
    }
    const markup = await returned(await sent('/"><script>alert(1)</script>'));
    expect(markup.payload).not.toContain('<script>');
    const problem = await returned({ callback: '/api/v1/oidc/callback?error=access_denied', kept: '' }, {});
    expect(JSON.parse(problem.payload)).toMatchObject({ code: 'oidc_refused', status: 401 });
  });

  it('is told when the provider is away; passwords go on', async () => {
    await addPerson(server, 'boss', { role: 'admin' });
    await provider.stop();
    try {
      const offer = await server.call('POST', '/api/v1/oidc/device', { token: null, body: {} });
      expect(offer).toMatchObject({ status: 503, body: { code: 'oidc_unavailable', retryAfterSeconds: 5 } });
      expect((await logIn(server, 'boss')).status).toBe(200);
    } finally {
      await provider.restart();
    }
  });
});

describe('a command line', () => {
  it('gets a sign-in when the person has agreed in a browser', async () => {
    const offer = (
      await server.call<{ userCode: string; verificationUri: string; pending: string }>('POST', '/api/v1/oidc/device', {
        token: null,
        body: {},
      })
    ).body;
    const poll = (pending = offer.pending) =>
      server.call<SignedIn & { state?: string; code?: string }>('POST', '/api/v1/oidc/device/poll', {
        token: null,
        body: { pending },
      });
    expect(await poll()).toMatchObject({ status: 202, body: { state: 'pending', slower: false } });
    await new Browser().confirmDevice(offer.verificationUri, offer.userCode);
    const { status, body } = await poll();
    expect([status, body.account.name]).toEqual([200, 'kim']);
    expect((await server.call('GET', '/api/v1/hosts', { token: body.secret })).status).toBe(200);
    expect((await poll()).body.code).toBe('oidc_refused');
    expect((await poll('AAAA')).body.code).toBe('oidc_refused');
  });
});
