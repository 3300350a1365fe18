import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SignInItem } from '../sign-in-answer.ts';
import { ApiServer } from '../../testing/api-server.ts';
import { testCaller } from '../../testing/test-access.ts';
import { onTestDatabase } from '../../testing/on-test-database.ts';
import { addPerson, hashCheaply, logIn } from '../testing/people.ts';
import { signInListSchema } from '../sign-in.schema.ts';

const PUBLIC_URL = 'https://modfleet.example.org';
const OUR_PAGE = { 'sec-fetch-site': 'same-origin', origin: PUBLIC_URL };

let server: ApiServer;
onTestDatabase(async (url) => {
  server = await ApiServer.start(url, { MODFLEET_PUBLIC_URL: PUBLIC_URL });
  hashCheaply(server);
  return server;
});
beforeEach(async () => {
  await addPerson(server, 'kim', { role: 'operator' });
  await addPerson(server, 'boss', { role: 'admin' });
});
afterEach(() =>
  server.database.query(
    'TRUNCATE sign_in, account_password, login_counter, access_grant, account, api_token, idempotency_key CASCADE',
  ),
);

/** A browser that has signed in: the cookie it sends. */
async function browser(name = 'kim'): Promise<{ cookie: string }> {
  const { body, headers } = await logIn(server, name, { carrier: 'cookie' }, OUR_PAGE);
  expect(body.secret).toBeNull();
  const line = String(headers['set-cookie']);
  expect(line).toMatch(
    /^__Host-modfleet=mfs_[A-Za-z0-9_-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=431\d\d$/,
  );
  return { cookie: line.split(';')[0] ?? '' };
}
const call = <T = { code: string }>(method: 'GET' | 'POST' | 'DELETE', path: string, headers: object) =>
  server.call<T>(method, `/api/v1${path}`, {
    token: null,
    headers: headers as Record<string, string>,
    ...(method === 'GET' ? {} : { body: path === '/freeze' ? { reason: 'storage move' } : {} }),
  });
const bearer = async (name: string) => (await logIn(server, name)).body.secret ?? '';

describe('a browser', () => {
  it('reads and changes with its cookie, from pages of this server', async () => {
    const cookie = await browser();
    expect((await call('GET', '/hosts', cookie)).status).toBe(200);
    expect((await call('POST', '/freeze', { ...cookie, ...OUR_PAGE })).status).toBe(200);
    expect((await call('POST', '/thaw', { ...cookie, origin: PUBLIC_URL })).status).toBe(200);
  });

  it.each([
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
    ['another host of the same domain', { 'sec-fetch-site': 'same-site', origin: 'https://wiki.example.org' }],
    ['a page that tells no origin', { origin: 'null' }],
    ['who tells nothing', {}],
    ['another name of this server', { origin: 'http://evil.example', host: 'evil.example' }],
    [
      'a page of another name',
      { 'sec-fetch-site': 'same-origin', origin: 'http://evil.example', host: 'evil.example' },
    ],
  ])('changes nothing for %s', async (_words, headers) => {
    const cookie = await browser();
    for (const [method, path] of [
      ['POST', '/freeze'],
      ['POST', '/logout'],
      ['POST', '/me/password'],
      ['DELETE', '/sessions/x'],
    ] as const)
      expect((await call(method, path, { ...cookie, ...headers })).body).toMatchObject({
        status: 403,
        code: 'cross_site',
      });
  });

  it('is not signed in as somebody else by another site', async () => {
    const answer = await logIn(server, 'kim', { carrier: 'cookie' }, { origin: 'https://evil.example' });
    expect([answer.status, answer.body.code, answer.headers['set-cookie']]).toEqual([403, 'cross_site', undefined]);
  });

  it('loses its cookie when it signs out', async () => {
    const cookie = await browser();
    const out = await call('POST', '/logout', { ...cookie, ...OUR_PAGE });
    expect(String(out.headers['set-cookie'])).toMatch(/^__Host-modfleet=; .*Max-Age=0$/);
    expect((await call('GET', '/hosts', cookie)).body.code).toBe('session_ended');
  });

  it('cannot use what was made for a command line, nor the other way round', async () => {
    const { cookie } = await browser();
    const inHeader = { authorization: `Bearer ${cookie.split('=')[1] ?? ''}` };
    expect((await call('GET', '/hosts', inHeader)).body.code).toBe('session_ended');
    const inCookie = { cookie: `__Host-modfleet=${await bearer('kim')}` };
    expect((await call('GET', '/hosts', inCookie)).body.code).toBe('session_ended');
    expect((await call('GET', '/hosts', { cookie: '__Host-modfleet=nonsense' })).body.code).toBe('unauthenticated');
    expect((await call('GET', '/hosts', { cookie: 'modfleet=x' })).body.code).toBe('unauthenticated');
  });
});

describe('the list of sign-ins', () => {
  const list = async (token: string, query = '') =>
    (
      await server.call<{ items: SignInItem[]; nextCursor: string | null; code?: string }>(
        'GET',
        `/api/v1/sessions${query}`,
        { token },
      )
    ).body;

  it('shows where, with what and until when; one’s own, and to admins everybody’s', async () => {
    const [kim, boss] = [await bearer('kim'), await bearer('boss')];
    await logIn(server, 'kim', {}, { 'user-agent': 'modfleet/1.0\u0007 (linux)' });
    const mine = await list(kim);
    expect(signInListSchema.parse(mine).items).toHaveLength(2);
    expect(mine.items).toMatchObject([
      { account: { name: 'kim' }, way: 'password', carrier: 'bearer', current: false, agent: 'modfleet/1.0 (linux)' },
      { current: true, place: '127.0.0.1' },
    ]);
    expect(JSON.stringify(mine)).not.toContain('mfs_');
    expect((await list(kim, '?account=boss')).code).toBe('forbidden');
    expect((await list(kim, '?all=true')).code).toBe('forbidden');
    expect((await list(kim, '?account=kim')).items).toHaveLength(2);
    expect((await list(boss, '?all=true')).items).toHaveLength(3);
    expect((await list(boss, '?account=kim')).items).toHaveLength(2);
    expect((await list(boss, '?account=nobody')).code).toBe('account_not_found');
    expect((await list(boss, '?account=kim&all=true')).code).toBe('query_invalid');
    const first = await list(boss, '?all=true&limit=2');
    const second = await list(boss, `?all=true&limit=2&cursor=${first.nextCursor}`);
    expect([...first.items, ...second.items].map(({ id }) => id).toSorted()).toEqual(
      (await list(boss, '?all=true')).items.map(({ id }) => id).toSorted(),
    );
    expect(second.nextCursor).toBeNull();
  });

  it('ends one: one’s own, and admins any', async () => {
    const [kim, other, boss] = [await bearer('kim'), await bearer('kim'), await bearer('boss')];
    const end = (token: string, id: string) =>
      server.call<{ code?: string; endedAt?: string }>('DELETE', `/api/v1/sessions/${id}`, { token, body: {} });
    const bossId = (await list(boss)).items[0]?.id ?? '';
    expect((await end(kim, bossId)).body.code).toBe('session_not_found');
    const otherId = (await list(other)).items.find(({ current }) => current)?.id ?? '';
    expect((await end(kim, otherId)).body.endedAt).toMatch(/Z$/);
    expect((await end(kim, otherId)).body.code).toBe('session_not_found');
    expect((await end(kim, 'nonsense')).body.code).toBe('session_not_found');
    expect((await list(other)).code).toBe('session_ended');
    const kimId = (await list(kim)).items[0]?.id ?? '';
    expect((await end(boss, kimId)).status).toBe(200);
    expect((await list(kim)).code).toBe('session_ended');
    const rows = await server.database.query('SELECT hash, seal FROM sign_in WHERE ended_at IS NOT NULL');
    expect(rows).toEqual([
      { hash: null, seal: null },
      { hash: null, seal: null },
    ]);
  });

  it('has nothing to end for an API token', async () => {
    const { token } = await testCaller(server.app, [['viewer', null]]);
    const answer = await server.call('POST', '/api/v1/logout', { token, body: {} });
    expect(answer).toMatchObject({ status: 404, body: { code: 'session_not_found' } });
  });
});
