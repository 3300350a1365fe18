import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AccessRepository } from '../access/access.repository.ts';
import { ApiServer } from '../testing/api-server.ts';
import { comesTrue } from '../testing/comes-true.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { hashPassword } from './passwords/argon2id.ts';
import { PasswordService } from './passwords/password.service.ts';
import { Sealing } from './sealing.ts';
import { addPerson, hashCheaply, logIn, PASSWORD } from './testing/people.ts';

let server: ApiServer;
let kim: string;

/** Addresses of several people: the test is a proxy that the server trusts. */
onTestDatabase(async (url) => {
  server = await ApiServer.start(url, { MODFLEET_TRUSTED_PROXY: '127.0.0.1' });
  hashCheaply(server);
  return server;
});
beforeEach(async () => {
  kim = await addPerson(server, 'kim', { role: 'viewer' });
});
afterEach(() =>
  server.database.query(
    'TRUNCATE sign_in, account_password, account_identity, login_counter, access_grant, api_token, account, idempotency_key CASCADE',
  ),
);

const from = (address: string) => ({ 'x-forwarded-for': address });
const hosts = (secret: string) => server.call('GET', '/api/v1/hosts', { token: secret });
/** Admin tokens go with the tables after each test. */
const adminToken = async (): Promise<string> => {
  await addPerson(server, 'boss', { role: 'admin' });
  return (await logIn(server, 'boss')).body.secret ?? '';
};

describe('signing in with a password', () => {
  it('gives a secret that opens the API as the account, until it is ended', async () => {
    const { status, body } = await logIn(server, 'kim');
    expect(status).toBe(200);
    expect(body).toMatchObject({ account: { id: kim, name: 'kim' }, idleSeconds: 7200 });
    expect(Date.parse(body.expiresAt) - Date.now()).toBeGreaterThan(11.9 * 3_600_000);
    const secret = body.secret ?? '';
    expect(secret).toMatch(/^mfs_[A-Za-z0-9_-]{43}$/);
    expect((await hosts(secret)).status).toBe(200);
    const out = await server.call('POST', '/api/v1/logout', { token: secret });
    expect(out).toMatchObject({ status: 200, body: { signInId: body.signInId } });
    expect((await hosts(secret)).body).toMatchObject({ status: 401, code: 'session_ended' });
  });

  it('has the rights of the account, no more', async () => {
    const { body } = await logIn(server, 'kim');
    const refused = await server.call('POST', '/api/v1/freeze', { token: body.secret, body: {} });
    expect(refused.body).toMatchObject({ status: 403, code: 'forbidden' });
  });

  it('answers a name that nobody has, a service and an account without a password as a wrong password', async () => {
    await addPerson(server, 'nopass', { password: null });
    const repository = server.app.get(AccessRepository);
    await repository.createAccount(server.database, { name: 'robot', kind: 'service', createdBy: 'tests' });
    const wrong = await logIn(server, 'kim', { password: 'wrong horse battery' }, from('10.0.0.1'));
    expect(wrong).toMatchObject({ status: 401, body: { code: 'login_failed' } });
    for (const [index, name] of ['nobody', 'nopass', 'robot', 'K IM\u202e'].entries()) {
      const answer = await logIn(server, name, {}, from(`10.0.1.${index}`));
      expect([answer.status, answer.body.code, answer.body.detail]).toEqual([401, 'login_failed', wrong.body.detail]);
    }
  });

  it('says that an account is disabled only to who knows its password, and ends its sign-ins for good', async () => {
    const { body } = await logIn(server, 'kim');
    const repository = server.app.get(AccessRepository);
    const disable = (is: boolean) =>
      server.database.tx('READ COMMITTED', (sql) => repository.setDisabled(sql, kim, 'boss', is));
    await disable(true);
    expect((await hosts(body.secret ?? '')).status).toBe(401);
    expect((await logIn(server, 'kim', { password: 'wrong horse battery' })).body.code).toBe('login_failed');
    expect((await logIn(server, 'kim')).body.code).toBe('account_disabled');
    await disable(false);
    expect((await hosts(body.secret ?? '')).body.code).toBe('session_ended');
    expect((await logIn(server, 'kim')).status).toBe(200);
  });

  it('hashes anew at the current cost when the hash is an older one', async () => {
    const phcOf = async () => {
      const [row] = await server.database.query<{ sealed: Buffer }>('SELECT sealed FROM account_password');
      const text = server.app.get(Sealing, { strict: false }).unbox(['password', kim], row?.sealed ?? Buffer.of());
      return (JSON.parse(text ?? '{}') as { phc: string }).phc;
    };
    const old = await hashPassword(PASSWORD, { memoryKib: 32, passes: 1, lanes: 1 });
    await server.app.get(PasswordService, { strict: false }).put(server.database, kim, old);
    expect((await logIn(server, 'kim')).status).toBe(200);
    expect(await phcOf()).toMatch(/^\$argon2id\$v=19\$m=64,t=2,p=1\$/);
    const stored = await phcOf();
    expect((await logIn(server, 'kim')).status).toBe(200);
    expect(await phcOf()).toBe(stored);
  });

  it('wants a body that is what it says', async () => {
    for (const body of [
      {},
      { user: 'kim', password: PASSWORD },
      { user: 'kim', password: 'x'.repeat(1025), carrier: 'bearer' },
    ])
      expect((await server.call('POST', '/api/v1/login', { token: null, body })).body.code).toBe('body_invalid');
    const form = await server.call('POST', '/api/v1/login', {
      token: null,
      text: `user=kim&password=${PASSWORD}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(form.body.code).toBe('content_type_unsupported');
  });
});

describe('a one-time password', () => {
  const give = async (token: string, name = 'kim', key = 'give-1') =>
    server.call<{ password: string; expiresAt: string; signInsEnded: number; code?: string }>(
      'POST',
      `/api/v1/accounts/${name}/password`,
      { token, body: {}, headers: { 'idempotency-key': key } },
    );

  it('takes the place of the password, ends the sign-ins, and has another chosen at once', async () => {
    const token = await adminToken();
    const before = (await logIn(server, 'kim')).body.secret ?? '';
    const { status, body } = await give(token);
    expect([status, body.signInsEnded]).toEqual([201, 1]);
    expect(body.password).toMatch(/^([a-hj-km-np-tv-z2-9]{5}-){3}[a-hj-km-np-tv-z2-9]{5}$/);
    expect((await hosts(before)).body.code).toBe('session_ended');
    expect((await logIn(server, 'kim')).body.code).toBe('login_failed');
    expect((await logIn(server, 'kim', { password: body.password })).body.code).toBe('password_change_required');
    const chosen = { password: body.password, newPassword: 'seven sleepy herons' };
    expect((await logIn(server, 'kim', { ...chosen, newPassword: 'password1234' })).body.code).toBe('password_refused');
    expect((await logIn(server, 'kim', { ...chosen, newPassword: body.password })).body.code).toBe('password_refused');
    expect((await logIn(server, 'kim', chosen)).status).toBe(200);
    expect((await logIn(server, 'kim', chosen)).body.code).toBe('login_failed');
    expect((await logIn(server, 'kim', { password: 'seven sleepy herons' })).status).toBe(200);
  });

  it('is good for a day', async () => {
    const { body } = await give(await adminToken());
    expect(Date.parse(body.expiresAt) - Date.now()).toBeLessThanOrEqual(86_400_000);
    const sealing = server.app.get(Sealing, { strict: false });
    const [row] = await server.database.query<{ sealed: Buffer }>(
      'SELECT sealed FROM account_password WHERE account_id = $1',
      [kim],
    );
    const record = JSON.parse(sealing.unbox(['password', kim], row?.sealed ?? Buffer.of()) ?? '{}') as object;
    const over = sealing.box(['password', kim], JSON.stringify({ ...record, expiresAt: Date.now() - 1 }));
    await server.database.query('UPDATE account_password SET sealed = $2 WHERE account_id = $1', [kim, over]);
    const late = await logIn(server, 'kim', { password: body.password, newPassword: 'seven sleepy herons' });
    expect(late.body).toMatchObject({ code: 'login_failed' });
    expect(late.body.detail).toContain('one-time password is over');
  });

  it('is answered again to the same request, and stands nowhere in the database', async () => {
    const token = await adminToken();
    const [first, again] = [await give(token), await give(token)];
    expect(again.body).toEqual(first.body);
    const rows = await server.database.query<{ all: string }>(
      `SELECT (SELECT json_agg(i)::text FROM idempotency_key i) || (SELECT json_agg(p)::text FROM account_password p) AS all`,
    );
    expect(rows[0]?.all).toContain(kim);
    expect(rows[0]?.all).not.toContain(first.body.password);
    expect(rows[0]?.all).not.toContain('argon2id');
  });

  it('leaves the API tokens and says how many, or ends them with it; so does ending a sign-in', async () => {
    const boss = await adminToken();
    const { secret, signInId } = (await logIn(server, 'kim')).body;
    const make = async () =>
      (await server.call<{ token: string }>('POST', '/api/v1/tokens', { token: secret, body: { expiresIn: null } }))
        .body.token;
    const [one, two] = [await make(), await make()];
    const end = (id: string, body: object) =>
      server.call<object>('DELETE', `/api/v1/sessions/${id}`, { token: boss, body });
    expect((await end(signInId, {})).body).toMatchObject({ tokensEnded: 0, apiTokens: 2 });
    expect((await hosts(one)).status).toBe(200);
    expect((await give(boss)).body).toMatchObject({ tokensEnded: 0, apiTokens: 2, disabled: false });
    expect((await hosts(one)).status).toBe(200);
    const ended = await server.call<object>('POST', '/api/v1/accounts/kim/password', {
      token: boss,
      body: { endTokens: true },
    });
    expect(ended.body).toMatchObject({ tokensEnded: 2, apiTokens: 0 });
    for (const token of [one, two]) expect((await hosts(token)).body.code).toBe('token_revoked');
  });

  it('says so when the account is disabled', async () => {
    const boss = await adminToken();
    await server.call('POST', '/api/v1/accounts/kim/disable', { token: boss, body: {} });
    expect((await give(boss)).body).toMatchObject({ disabled: true });
  });

  it('is for people, by admins', async () => {
    const token = await adminToken();
    await server.app
      .get(AccessRepository)
      .createAccount(server.database, { name: 'robot', kind: 'service', createdBy: 'tests' });
    expect((await give(token, 'robot', 'r')).body.code).toBe('account_not_found');
    const nobody = await give(token, 'nobody', 'n');
    expect(nobody.body).toMatchObject({
      code: 'account_not_found',
      detail: expect.stringContaining('modfleet accounts create NAME --kind person'),
    });
    const viewer = (await logIn(server, 'kim')).body.secret ?? '';
    expect((await give(viewer)).body.code).toBe('forbidden');
  });

  it('is used by one of two who come at once', async () => {
    const { body } = await give(await adminToken());
    const answers = await Promise.all(
      ['seven sleepy herons', 'nine eager badgers'].map((newPassword) =>
        logIn(server, 'kim', { password: body.password, newPassword }),
      ),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 401]);
  });
});

describe('changing your own password', () => {
  const change = (secret: string, body: object) =>
    server.call<{ signInsEnded: number; code?: string }>('POST', '/api/v1/me/password', { token: secret, body });

  it('ends the other sign-ins, and keeps the one that asks', async () => {
    const [mine, other] = [await logIn(server, 'kim'), await logIn(server, 'kim')];
    const secret = mine.body.secret ?? '';
    const next = { password: PASSWORD, newPassword: 'seven sleepy herons' };
    const wrong = await change(secret, { ...next, password: 'wrong horse battery' });
    expect(wrong.body).toMatchObject({
      code: 'login_failed',
      detail: expect.stringMatching(/^this is not the password of now.*nothing was changed/),
    });
    expect((await change(secret, { ...next, newPassword: PASSWORD })).body.code).toBe('password_refused');
    expect((await change(secret, { ...next, newPassword: 'short' })).body.code).toBe('password_refused');
    expect(await change(secret, next)).toMatchObject({ status: 200, body: { signInsEnded: 1 } });
    expect((await hosts(secret)).status).toBe(200);
    expect((await hosts(other.body.secret ?? '')).body.code).toBe('session_ended');
    expect((await logIn(server, 'kim')).body.code).toBe('login_failed');
    expect((await logIn(server, 'kim', { password: 'seven sleepy herons' })).status).toBe(200);
  });

  it('keeps no digest of the password', async () => {
    const secret = (await logIn(server, 'kim')).body.secret ?? '';
    await change(secret, { password: PASSWORD, newPassword: 'seven sleepy herons' });
    expect(await server.database.query('SELECT 1 FROM idempotency_key')).toEqual([]);
  });
});

describe('rows that somebody wrote by hand', () => {
  it('are no password: neither a hash of theirs, nor another account’s', async () => {
    const mallory = await addPerson(server, 'mallory');
    await server.database.query(
      'UPDATE account_password SET sealed = (SELECT sealed FROM account_password WHERE account_id = $1) WHERE account_id = $2',
      [mallory, kim],
    );
    expect((await logIn(server, 'kim')).body.code).toBe('login_failed');
    const phc = await hashPassword('known to mallory', { memoryKib: 64, passes: 2, lanes: 1 });
    const record = JSON.stringify({ phc, oneTime: false, expiresAt: null });
    await server.database.query('UPDATE account_password SET sealed = $2 WHERE account_id = $1', [
      kim,
      Buffer.from(record),
    ]);
    expect((await logIn(server, 'kim', { password: 'known to mallory' })).body.code).toBe('login_failed');
  });

  it.each([
    ['given to another account', (boss: string) => [`UPDATE sign_in SET account_id = $1 WHERE account_id <> $1`, boss]],
    [
      'made longer',
      () => [`UPDATE sign_in SET expires_at = expires_at + interval '1 day' WHERE $1::text IS NULL`, null],
    ],
    ['made to last without use', () => [`UPDATE sign_in SET idle_seconds = 999999 WHERE $1::text IS NULL`, null]],
    ['without its seal', () => [`UPDATE sign_in SET seal = NULL WHERE $1::text IS NULL`, null]],
  ] as const)('are no sign-in: %s', async (_words, change) => {
    const boss = await addPerson(server, 'boss', { role: 'admin' });
    const secret = (await logIn(server, 'kim')).body.secret ?? '';
    expect((await hosts(secret)).status).toBe(200);
    const [text, parameter] = change(boss);
    await server.database.query(String(text), [parameter]);
    expect((await hosts(secret)).body.code).toBe('session_ended');
  });
});

describe('a sign-in ends', () => {
  it('after its time, and after a time without use', async () => {
    const secret = (await logIn(server, 'kim')).body.secret ?? '';
    await server.database.query(`UPDATE sign_in SET last_used_at = now() - interval '119 minutes'`);
    expect((await hosts(secret)).status).toBe(200);
    await comesTrue(async () => {
      const [row] = await server.database.query<{ fresh: boolean }>(
        `SELECT last_used_at > now() - interval '1 minute' AS fresh FROM sign_in`,
      );
      expect(row?.fresh).toBe(true);
    });
    await server.database.query(`UPDATE sign_in SET last_used_at = now() - interval '121 minutes'`);
    const idle = await hosts(secret);
    expect(idle.body).toMatchObject({ code: 'session_ended' });
    expect(idle.body.detail).toContain('is over since');
  });
});

describe('the audit log', () => {
  it('says who signed in, from where, and what was done to passwords and sign-ins', async () => {
    const token = await adminToken();
    const { body } = await logIn(server, 'kim', {}, from('192.0.2.9'));
    await server.call('POST', '/api/v1/me/password', {
      token: body.secret,
      body: { password: PASSWORD, newPassword: 'seven sleepy herons' },
    });
    await server.call('DELETE', `/api/v1/sessions/${body.signInId}`, { token, body: {} });
    await server.call('POST', '/api/v1/accounts/kim/password', { token, body: {} });
    await logIn(server, 'kim', { password: 'wrong horse battery' });
    const rows = await server.database.query<{ row: string; address: string }>(
      `SELECT what || ' by ' || actor_name || ' on ' || coalesce(object, '') AS row, address FROM audit.entry
        WHERE what LIKE 'sign_in.%' OR what LIKE 'password.%' ORDER BY at, number`,
    );
    const kims = rows.filter(({ row }) => row.includes(kim) || row.includes(body.signInId));
    expect(kims.map(({ row }) => row)).toEqual([
      `sign_in.start by kim on ${body.signInId}`,
      `password.change by kim on ${kim}`,
      `sign_in.end by boss on ${body.signInId}`,
      `password.give by boss on ${kim}`,
    ]);
    expect(kims[0]?.address).toBe('192.0.2.9');
  });
});
