import { beforeEach, describe, expect, it } from 'vitest';
import { accountListSchema } from '../accounts/accounts.schema.ts';
import type { AccountItem, AccountList, Problem, RemovedPassword, UnlinkedIdentity } from '../api-types.ts';
import { ApiServer } from '../testing/api-server.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { testCaller, type TestCaller } from '../testing/test-access.ts';
import { comesTrue } from '../testing/comes-true.ts';
import { SignInService } from './sessions/sign-in.service.ts';
import { removedPasswordSchema, unlinkedIdentitySchema } from './sign-in.schema.ts';
import { addPerson, hashCheaply, logIn } from './testing/people.ts';

const ISSUER = 'https://id.example.org/realms/ops';

let server: ApiServer;
let admin: TestCaller;
let kim: string;
onTestDatabase(async (url) => {
  server = await ApiServer.start(url, {
    MODFLEET_PUBLIC_URL: 'https://modfleet.example.org',
    MODFLEET_OIDC_ISSUER: ISSUER,
    MODFLEET_OIDC_CLIENT_ID: 'modfleet',
  });
  hashCheaply(server);
  return server;
});
beforeEach(async () => {
  await server.database.query(
    'TRUNCATE sign_in, account_password, account_identity, login_counter, access_grant, api_token, account, idempotency_key CASCADE',
  );
  admin = await testCaller(server.app, [['admin', null]]);
  kim = await addPerson(server, 'kim', { role: 'viewer' });
});

const call = <T>(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body: object = {},
  headers: Record<string, string> = {},
) => server.call<T>(method, `/api/v1${path}`, { body, headers, token: admin.token });
const link = (subject: string) => call('POST', '/accounts/kim/identities', { subject });
const unlink = <T = UnlinkedIdentity>(body: object, headers = {}) =>
  call<T>('DELETE', '/accounts/kim/identities', body, headers);
const removePassword = <T = RemovedPassword>(headers = {}) => call<T>('DELETE', '/accounts/kim/password', {}, headers);
const shown = async (): Promise<AccountItem | undefined> => {
  const list = await server.call<AccountList>('GET', '/api/v1/accounts', { token: admin.token });
  return accountListSchema.parse(list.body).items.find(({ name }) => name === 'kim');
};
const whoami = async (secret: string) =>
  (await server.call<Partial<Problem>>('GET', '/api/v1/me', { token: secret })).body.code ?? 'in';
/** As after a sign-in at the provider. */
const throughProvider = async (): Promise<string> =>
  (
    await server.app
      .get(SignInService, { strict: false })
      .start(server.database, { accountId: kim, carrier: 'bearer', way: 'oidc', address: '192.0.2.1', agent: 'tests' })
  ).secret;

describe('what an account signs in with', () => {
  it('is shown where accounts are, and is nothing at first', async () => {
    const made = await call<AccountItem>('POST', '/accounts', { name: 'lee', kind: 'person' });
    expect(made.body).toMatchObject({ password: 'none', identities: [] });
    expect(await shown()).toMatchObject({ password: 'own', identities: [] });
    await link('17');
    await call('POST', '/accounts/kim/password');
    expect(await shown()).toMatchObject({
      password: 'one_time',
      identities: [{ issuer: ISSUER, subject: '17', linkedBy: admin.name, lastUsedAt: null, sealed: true }],
    });
    await server.database.query(`UPDATE account_password SET sealed = '\\x00'; `);
    await server.database.query(`UPDATE account_identity SET seal = '\\x00'`);
    expect(await shown()).toMatchObject({ password: 'broken', identities: [{ sealed: false }] });
  });
});

describe('a password that is taken away', () => {
  it('signs nobody in any more, and what was begun with it ends; what was not goes on', async () => {
    await link('17');
    const withPassword = (await logIn(server, 'kim')).body.secret ?? '';
    const other = await throughProvider();
    const key = { 'idempotency-key': 'once' };
    const removed = await removePassword(key);
    expect(removed.status).toBe(200);
    expect(removedPasswordSchema.parse(removed.body)).toMatchObject({
      account: { id: kim, name: 'kim' },
      signInsEnded: 1,
      left: { password: 'none', identities: [{ subject: '17' }], apiTokens: 0, groupGrants: 0 },
    });
    expect([await whoami(withPassword), await whoami(other)]).toEqual(['session_ended', 'in']);
    expect((await logIn(server, 'kim')).body).toMatchObject({
      code: 'login_failed',
      detail: expect.stringMatching(/^the name or the password is wrong/),
    });
    expect((await removePassword(key)).body).toEqual(removed.body);
    expect((await removePassword<Problem>()).body).toMatchObject({ status: 404, code: 'password_not_found' });
    expect(await shown()).toMatchObject({ password: 'none' });
    const audited = await server.database.query(
      `SELECT actor_id, object, details FROM audit.entry WHERE what = 'password.remove' AND object = $1`,
      [kim],
    );
    expect(audited).toEqual([{ actor_id: admin.tokenId, object: kim, details: '{"account":"kim","signInsEnded":1}' }]);
  });

  it('may be the last way in: the answer says so, and an admin gives another', async () => {
    await call('POST', '/tokens', { account: 'kim' });
    expect((await removePassword()).body.left).toEqual({
      password: 'none',
      identities: [],
      apiTokens: 1,
      groupGrants: 0,
    });
    const given = await call<{ password: string }>('POST', '/accounts/kim/password');
    const next = await logIn(server, 'kim', { password: given.body.password, newPassword: 'seven sleepy herons' });
    expect(next.status).toBe(200);
  });

  it('may be the own one of an admin, whose sign-in ends with it', async () => {
    await addPerson(server, 'boss', { role: 'admin' });
    const token = (await logIn(server, 'boss')).body.secret ?? '';
    const path = '/api/v1/accounts/boss/password';
    expect((await server.call('DELETE', path, { body: {}, token })).status).toBe(200);
    expect(await whoami(token)).toBe('session_ended');
  });

  it('begins nothing while it is being taken away', async () => {
    let signingIn: ReturnType<typeof logIn> | undefined;
    await server.database.tx('READ COMMITTED', async (sql) => {
      await sql.query('DELETE FROM account_password WHERE account_id = $1', [kim]);
      signingIn = logIn(server, 'kim');
      await comesTrue(async () => {
        const waiting = await server.database.query('SELECT 1 FROM pg_locks WHERE NOT granted');
        expect(waiting).toHaveLength(1);
      });
    });
    expect((await signingIn)?.body).toMatchObject({ code: 'login_failed' });
    expect(await server.database.query('SELECT 1 FROM sign_in')).toEqual([]);
  });

  it('is none of a service, and of nobody', async () => {
    for (const name of [admin.name, 'nobody'])
      for (const [path, body] of [
        ['password', {}],
        ['identities', { subject: '17' }],
      ] as const)
        expect((await call('DELETE', `/accounts/${name}/${path}`, body)).body).toMatchObject({
          code: 'account_not_found',
        });
  });
});

describe('an identity that is unlinked', () => {
  it('ends what was begun through the provider; what was begun with the password goes on', async () => {
    await link('17');
    await link('18');
    const withPassword = (await logIn(server, 'kim')).body.secret ?? '';
    const other = await throughProvider();
    await server.database.query(
      `INSERT INTO access_grant (id, account_id, role, created_by, ends_at)
       VALUES (gen_random_uuid(), $1, 'viewer', 'identity provider', now() + interval '1 hour')`,
      [kim],
    );
    const gone = await unlink({ subject: '17' });
    expect(unlinkedIdentitySchema.parse(gone.body)).toMatchObject({
      account: { id: kim, name: 'kim' },
      issuer: ISSUER,
      subject: '17',
      signInsEnded: 1,
      left: { password: 'own', identities: [{ subject: '18' }], groupGrants: 1 },
    });
    expect([await whoami(other), await whoami(withPassword)]).toEqual(['session_ended', 'in']);
    const audited = await server.database.query(
      `SELECT object, details FROM audit.entry WHERE what = 'identity.unlink'`,
    );
    expect(audited).toEqual([
      { object: kim, details: JSON.stringify({ account: 'kim', issuer: ISSUER, signInsEnded: 1, subject: '17' }) },
    ]);
    expect((await unlink<Problem>({ subject: '17' })).body).toMatchObject({ status: 404, code: 'identity_not_found' });
  });

  it('is found by its issuer where two have the same subject, also when this server has that provider no more', async () => {
    await link('17');
    await server.database.query(
      `INSERT INTO account_identity (issuer, subject, account_id, linked_by, seal) VALUES ('https://old.example.org', '17', $1, 'boss', '\\x00')`,
      [kim],
    );
    const which = await unlink<Problem>({ subject: '17' });
    expect(which.body).toMatchObject({ code: 'body_invalid' });
    expect(which.body.detail).toContain('https://old.example.org');
    expect((await unlink({ subject: '17', issuer: 'https://old.example.org' })).body).toMatchObject({
      issuer: 'https://old.example.org',
      left: { identities: [{ issuer: ISSUER }] },
    });
    expect((await unlink({ subject: '17' })).body.issuer).toBe(ISSUER);
    expect((await link('17')).status).toBe(201);
  });
});
