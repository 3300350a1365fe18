import { beforeAll, describe, expect, it } from 'vitest';
import { AccessRepository } from '../access/access.repository.ts';
import { AccessService } from '../access/access.service.ts';
import type {
  AccountItem,
  AccountList,
  ApiTokenItem,
  ApiTokenList,
  CreatedToken,
  DisabledAccount,
  GrantItem,
  GrantList,
  Me,
  Problem,
} from '../api-types.ts';
import { ApiServer } from '../testing/api-server.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { testCaller, type TestCaller } from '../testing/test-access.ts';
import {
  accountListSchema,
  createdTokenSchema,
  disabledAccountSchema,
  grantListSchema,
  meSchema,
  tokenListSchema,
} from './accounts.schema.ts';

let server: ApiServer;
onTestDatabase(async (url) => (server = await ApiServer.start(url)));

const post = <T>(path: string, body: object, token: string) =>
  server.call<T>('POST', `/api/v1${path}`, { body, token });
const remove = <T>(path: string, token: string) => server.call<T>('DELETE', `/api/v1${path}`, { body: {}, token });
const get = <T>(path: string, token: string) => server.call<T>('GET', `/api/v1${path}`, { token });
const tamper = async (text: string, values: unknown[]) => {
  await server.database.query(text, values);
  await server.app.get(AccessService).changed();
};

describe('accounts, grants and tokens', () => {
  let admin: TestCaller;
  let stagingAdmin: TestCaller;
  let viewer: TestCaller;
  beforeAll(async () => {
    admin = await testCaller(server.app, [['admin', null]]);
    stagingAdmin = await testCaller(server.app, [['admin', 'env=staging']]);
    viewer = await testCaller(server.app, [['viewer', null]]);
  });

  it('go from an account that may nothing to a token that may act on some hosts', async () => {
    const account = await post<AccountItem>('/accounts', { name: 'deploy' }, admin.token);
    expect(account).toMatchObject({
      status: 201,
      body: { name: 'deploy', kind: 'service', createdBy: admin.name, sealed: true },
    });
    const made = await post<CreatedToken>('/tokens', { account: 'deploy', expiresIn: 3600 }, admin.token);
    createdTokenSchema.parse(made.body);
    expect((await get('/hosts', made.body.token)).body).toMatchObject({ code: 'forbidden' });
    const grant = await post<GrantItem>(
      '/grants',
      { account: 'deploy', role: 'operator', selector: 'env=staging' },
      admin.token,
    );
    expect(grant).toMatchObject({ status: 201, body: { role: 'operator', selector: 'env=staging', sealed: true } });
    expect((await get('/hosts', made.body.token)).status).toBe(200);
    const me = meSchema.parse((await get<Me>('/me', made.body.token)).body);
    expect(me).toMatchObject({
      account: { name: 'deploy' },
      credential: { kind: 'token', id: made.body.id, routes: null },
      may: [
        { what: 'read', over: ['env in (staging)'] },
        { what: 'act', over: ['env in (staging)'] },
      ],
    });
    expect((await post('/freeze', { reason: 'no' }, made.body.token)).body).toMatchObject({ code: 'forbidden' });
  });

  it('show lists that are as documented, and page', async () => {
    const accounts = accountListSchema.parse((await get<AccountList>('/accounts?limit=2', admin.token)).body);
    const next = await get<AccountList>(`/accounts?limit=2&cursor=${accounts.nextCursor ?? ''}`, admin.token);
    expect(next.body.items[0]?.name.localeCompare(accounts.items[1]?.name ?? '', 'en')).toBe(1);
    grantListSchema.parse((await get<GrantList>('/grants', admin.token)).body);
    const tokens = tokenListSchema.parse((await get<ApiTokenList>('/tokens?limit=1', admin.token)).body);
    expect(
      (await get<ApiTokenList>(`/tokens?cursor=${tokens.nextCursor ?? ''}`, admin.token)).body.items.length,
    ).toBeGreaterThan(0);
  });

  it('are refused in plain words', async () => {
    expect((await post('/accounts', { name: 'deploy' }, admin.token)).body).toMatchObject({
      status: 409,
      code: 'account_exists',
    });
    expect((await post('/accounts', { name: 'a b' }, admin.token)).body).toMatchObject({ code: 'body_invalid' });
    expect((await post('/grants', { account: 'nobody', role: 'viewer', all: true }, admin.token)).body).toMatchObject({
      code: 'account_not_found',
    });
    expect(
      (await post('/grants', { account: 'deploy', role: 'viewer', selector: '@kernel~6.1.*' }, admin.token)).body,
    ).toMatchObject({
      code: 'selector_invalid',
      offset: 0,
    });
    expect((await post('/grants', { account: 'deploy', role: 'viewer' }, admin.token)).body).toMatchObject({
      code: 'body_invalid',
    });
    expect((await post('/tokens', { routes: ['GET /api/v1/nothing'] }, admin.token)).body).toMatchObject({
      code: 'body_invalid',
    });
    expect((await post('/accounts/nobody/disable', {}, admin.token)).body).toMatchObject({ code: 'account_not_found' });
    expect((await remove('/grants/x', admin.token)).body).toMatchObject({ code: 'grant_not_found' });
    expect((await remove('/tokens/mfl_nothing', admin.token)).body).toMatchObject({ code: 'token_not_found' });
  });

  it('nobody gives more than they have', async () => {
    const give = (body: object, token: string) => post<GrantItem>('/grants', { account: viewer.name, ...body }, token);
    expect((await give({ role: 'viewer', all: true }, stagingAdmin.token)).body).toMatchObject({ code: 'forbidden' });
    expect((await give({ role: 'viewer', selector: 'env=prod' }, stagingAdmin.token)).body).toMatchObject({
      code: 'forbidden',
    });
    expect((await give({ role: 'viewer', selector: 'team=a' }, viewer.token)).body).toMatchObject({
      code: 'forbidden',
    });
    const given = await give({ role: 'operator', selector: 'env=staging,team=a' }, stagingAdmin.token);
    expect(given.status).toBe(201);
    const seen = (await get<GrantList>('/grants', stagingAdmin.token)).body.items;
    expect(seen.every((row) => row.selector?.includes('env=staging') === true)).toBe(true);
    const [fleetGrant] = admin.grantIds;
    expect((await remove(`/grants/${fleetGrant ?? ''}`, stagingAdmin.token)).body).toMatchObject({
      code: 'grant_not_found',
    });
    expect((await remove<GrantItem>(`/grants/${given.body.id}`, stagingAdmin.token)).body.revokedBy).toBe(
      stagingAdmin.name,
    );
    for (const call of [get('/accounts', stagingAdmin.token), post('/accounts', { name: 'x' }, stagingAdmin.token)])
      expect((await call).body).toMatchObject({ code: 'forbidden' });
  });

  it("everyone makes and revokes own tokens, admins everybody's", async () => {
    const own = await post<CreatedToken>('/tokens', { name: 'laptop' }, viewer.token);
    expect(own).toMatchObject({ status: 201, body: { account: { name: viewer.name }, createdBy: viewer.name } });
    expect((await post('/tokens', { account: admin.name }, viewer.token)).body).toMatchObject({ code: 'forbidden' });
    const seen = (await get<ApiTokenList>('/tokens', viewer.token)).body.items;
    expect(new Set(seen.map((row) => row.account?.name))).toEqual(new Set([viewer.name]));
    expect((await remove(`/tokens/${admin.tokenId}`, viewer.token)).body).toMatchObject({ code: 'token_not_found' });
    expect((await remove<ApiTokenItem>(`/tokens/${own.body.prefix}`, admin.token)).body).toMatchObject({
      state: 'revoked',
    });
    expect((await get('/me', own.body.token)).body).toMatchObject({ code: 'token_revoked' });
  });

  it('a token makes no token that may more or lives longer', async () => {
    const routes = ['GET /api/v1/hosts', 'GET /api/v1/me', 'POST /api/v1/tokens'];
    const narrow = await testCaller(server.app, [['admin', null]], { routes, expiresInSeconds: 600 });
    expect((await get('/kmods', narrow.token)).body).toMatchObject({ code: 'forbidden' });
    expect((await get('/hosts', narrow.token)).status).toBe(200);
    expect((await post('/tokens', {}, narrow.token)).body).toMatchObject({ code: 'forbidden' });
    expect((await post('/tokens', { routes: ['GET /api/v1/kmods'] }, narrow.token)).body).toMatchObject({
      code: 'forbidden',
    });
    const made = await post<CreatedToken>('/tokens', { routes: ['GET /api/v1/hosts'], expiresIn: null }, narrow.token);
    const me = await get<Me>('/me', narrow.token);
    expect(made.body).toMatchObject({ routes: ['GET /api/v1/hosts'], expiresAt: me.body.credential.expiresAt });
  });

  it('a disabled account gives nothing, and its tokens end for good', async () => {
    const someone = await testCaller(server.app, [['viewer', null]]);
    const disabled = await post<DisabledAccount>(`/accounts/${someone.name}/disable`, {}, admin.token);
    expect(disabled).toMatchObject({ status: 200, body: { tokensEnded: 1 } });
    disabledAccountSchema.parse(disabled.body);
    expect((await get('/me', someone.token)).body).toMatchObject({ status: 401, code: 'token_revoked' });
    expect((await post('/tokens', { account: someone.name }, admin.token)).body).toMatchObject({
      code: 'account_disabled',
    });
    expect((await post(`/accounts/${someone.name}/enable`, {}, admin.token)).status).toBe(200);
    expect((await get('/me', someone.token)).body).toMatchObject({ code: 'token_revoked' });
  });

  it('answers a repeated request for a token with the same token, and keeps no secret', async () => {
    const headers = { 'idempotency-key': 'same' };
    const call = { body: {}, token: viewer.token, headers };
    const first = await server.call<CreatedToken>('POST', '/api/v1/tokens', call);
    const second = await server.call<CreatedToken>('POST', '/api/v1/tokens', call);
    expect(second.body.token).toBe(first.body.token);
    const stored = JSON.stringify(await server.database.query('SELECT * FROM idempotency_key'));
    expect(stored).not.toContain(first.body.token.slice(12));
  });

  describe('changed by hand in Postgres', () => {
    it.each([
      ['another role', `UPDATE access_grant SET role = 'admin' WHERE account_id = $1`],
      ['the whole fleet', `UPDATE access_grant SET selector = NULL WHERE account_id = $1`],
      ['other hosts', `UPDATE access_grant SET selector = 'env=prod' WHERE account_id = $1`],
      ['without its seal', `UPDATE access_grant SET seal = NULL WHERE account_id = $1`],
    ])('a grant gives nothing: %s', async (_case, text) => {
      const someone = await testCaller(server.app, [['viewer', 'env=staging']]);
      await tamper(text, [someone.accountId]);
      expect((await get('/hosts', someone.token)).body).toMatchObject({ status: 403, code: 'access_seal_broken' });
      const seen = (await get<GrantList>(`/grants?account=${someone.name}`, admin.token)).body.items;
      expect(seen).toMatchObject([{ sealed: false }]);
    });

    it('a grant, an account and a token that were inserted give nothing', async () => {
      await tamper(
        `INSERT INTO access_grant (id, account_id, role, seal) SELECT gen_random_uuid(), $1, 'admin', seal FROM access_grant WHERE id = $2`,
        [viewer.accountId, admin.grantIds[0]],
      );
      expect((await get('/accounts', viewer.token)).body).toMatchObject({ code: 'access_seal_broken' });
      await tamper(`DELETE FROM access_grant WHERE account_id = $1 AND role = 'admin'`, [viewer.accountId]);
      expect((await get('/accounts', viewer.token)).body).toMatchObject({ code: 'forbidden' });
    });

    it('a revoked grant, a revoked token and a disabled account stay so', async () => {
      const someone = await testCaller(server.app, [['viewer', null]]);
      await remove(`/grants/${someone.grantIds[0] ?? ''}`, admin.token);
      await tamper('UPDATE access_grant SET revoked_at = NULL WHERE account_id = $1', [someone.accountId]);
      expect((await get('/hosts', someone.token)).body).toMatchObject({ code: 'access_seal_broken' });
      await post(`/accounts/${someone.name}/disable`, {}, admin.token);
      // Its own ended with it: one that was made since, as only the database could.
      const wanted = { accountId: someone.accountId, name: 'x', routes: null, expiresInSeconds: null, createdBy: 'x' };
      const { secret } = await server.app.get(AccessRepository).createToken(server.database, wanted);
      await tamper('UPDATE account SET disabled_at = NULL WHERE id = $1', [someone.accountId]);
      expect((await get('/me', secret)).body).toMatchObject({ code: 'access_seal_broken' });
      expect((await post(`/accounts/${someone.name}/enable`, {}, admin.token)).body).toMatchObject({
        code: 'access_seal_broken',
      });
      const other = await testCaller(server.app, [['viewer', null]]);
      await remove(`/tokens/${other.tokenId}`, admin.token);
      await tamper('UPDATE api_token SET revoked_at = NULL WHERE id = $1', [other.tokenId]);
      expect((await get('/me', other.token)).body).toMatchObject({ code: 'access_seal_broken' });
    });

    it.each([
      ['another account', 'UPDATE api_token SET account_id = $2 WHERE id = $1'],
      ['more routes', 'UPDATE api_token SET routes = NULL WHERE id = $1 AND $2::uuid IS NOT NULL'],
      ['a longer life', `UPDATE api_token SET expires_at = NULL WHERE id = $1 AND $2::uuid IS NOT NULL`],
      ['another secret', `UPDATE api_token SET hash = sha256('x') WHERE id = $1 AND $2::uuid IS NOT NULL`],
    ])('a token gives nothing: %s', async (_case, text) => {
      const someone = await testCaller(server.app, [['viewer', null]], {
        routes: ['GET /api/v1/me'],
        expiresInSeconds: 600,
      });
      await tamper(text, [someone.tokenId, admin.accountId]);
      expect((await get<Problem>('/me', someone.token)).body.code).toMatch(/^(access_seal_broken|unauthenticated)$/);
    });

    it('an account, a grant and a token that are ended afterwards stay broken', async () => {
      const someone = await testCaller(server.app, [['viewer', null]]);
      await tamper(`UPDATE account SET kind = 'person' WHERE id = $1`, [someone.accountId]);
      await tamper(`UPDATE access_grant SET role = 'admin' WHERE account_id = $1`, [someone.accountId]);
      await tamper('UPDATE api_token SET expires_at = now() WHERE id = $1', [someone.tokenId]);
      const ended = { sealed: false };
      expect((await remove(`/grants/${someone.grantIds[0] ?? ''}`, admin.token)).body).toMatchObject(ended);
      expect((await remove(`/tokens/${someone.tokenId}`, admin.token)).body).toMatchObject(ended);
      const disabled = await post<AccountItem>(`/accounts/${someone.name}/disable`, {}, admin.token);
      expect(disabled.body).toMatchObject(ended);
      expect(disabled.body.disabledBy).toBe(admin.name);
      expect((await post(`/accounts/${someone.name}/enable`, {}, admin.token)).body).toMatchObject({
        code: 'access_seal_broken',
      });
    });

    it('is counted', async () => {
      const metrics = (await server.app.inject({ method: 'GET', url: '/metrics' })).payload;
      for (const kind of ['account', 'grant', 'token'])
        expect(metrics).toMatch(new RegExp(`modfleet_access_seals_broken_total\\{kind="${kind}"\\} [1-9]`));
    });
  });

  it('the last admin of the whole fleet stays', async () => {
    for (const row of (await get<GrantList>('/grants', admin.token)).body.items)
      if (row.role === 'admin' && row.selector === null && row.account.name !== admin.name)
        expect((await remove(`/grants/${row.id}`, admin.token)).status).toBe(200);
    expect((await remove(`/grants/${admin.grantIds[0] ?? ''}`, admin.token)).body).toMatchObject({
      status: 409,
      code: 'last_admin',
    });
    expect((await post(`/accounts/${admin.name}/disable`, {}, admin.token)).body).toMatchObject({ code: 'last_admin' });
  });
});
