import { describe, expect, it } from 'vitest';
import { ApiTokenService } from '../access/api-token.service.ts';
import { ApiServer } from '../testing/api-server.ts';
import { comesTrue } from '../testing/comes-true.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { SignInService } from '../sign-in/sessions/sign-in.service.ts';
import { testCaller } from '../testing/test-access.ts';

let server: ApiServer;
onTestDatabase(
  async (url) =>
    (server = await ApiServer.start(url, {
      MODFLEET_RATE_IDENTITY_PER_SECOND: '2',
      MODFLEET_RATE_ADDRESS_PER_SECOND: '10',
      MODFLEET_RATE_FAILURES_PER_MINUTE: '3',
      MODFLEET_TRUSTED_PROXY: '127.0.0.1',
    })),
);

/** By the proxy on loopback, which tells where a call came from. */
const from = (address: string, token: string | null, path = '/api/v1/me') =>
  server.call('GET', path, { token, headers: { 'x-forwarded-for': address } });

describe('rate limits', () => {
  it('an identity may so much, wherever it calls from, and is told what is left', async () => {
    const caller = await testCaller(server.app, []);
    const first = await from('192.0.2.1', caller.token);
    expect(first.headers).toMatchObject({ 'ratelimit-policy': '"identity";q=10;w=5', ratelimit: '"identity";r=9;t=1' });
    const answers = await Promise.all(Array.from({ length: 15 }, (_, n) => from(`192.0.2.${n + 2}`, caller.token)));
    const refused = answers.filter((answer) => answer.status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(3);
    expect(refused[0]).toMatchObject({
      body: { code: 'rate_limited', detail: expect.stringContaining(caller.name), retryAfterSeconds: 1 },
      headers: { 'retry-after': '1' },
    });
    const other = await testCaller(server.app, []);
    expect((await from('192.0.2.1', other.token)).status).toBe(200);
  });

  it('an address may so much, whoever calls', async () => {
    const answers = await Promise.all(Array.from({ length: 70 }, () => from('198.51.100.1', null, '/healthz')));
    expect(answers.filter((answer) => answer.status === 429).length).toBeGreaterThanOrEqual(10);
    expect((await from('198.51.100.2', null, '/healthz')).status).toBe(200);
  });

  it('an address that fails too often is not even looked up, but a token that was good lately is served', async () => {
    const neighbour = await testCaller(server.app, []);
    expect((await from('203.0.113.1', neighbour.token)).status).toBe(200);
    const guess = `mfl_${'x'.repeat(43)}`;
    const statuses: number[] = [];
    for (let tried = 0; tried < 5; tried += 1) statuses.push((await from('203.0.113.1', guess)).status);
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    expect((await from('203.0.113.1', null)).status).toBe(429);
    expect((await from('203.0.113.1', neighbour.token)).status).toBe(200);
    expect((await from('203.0.113.2', guess)).status).toBe(401);
  });

  it('a token that was just made is served there too, wherever it was made; a guess is none the wiser', async () => {
    const place = '203.0.113.9';
    const admin = await testCaller(server.app, [['admin', null]]);
    expect((await from(place, admin.token)).status).toBe(200);
    const guess = `mfl_${'y'.repeat(43)}`;
    for (let tried = 0; tried < 3; tried += 1) await from(place, guess);
    expect((await from(place, guess)).status).toBe(429);
    const made = await server.call<{ token: string }>('POST', '/api/v1/tokens', { token: admin.token, body: {} });
    expect((await from(place, made.body.token)).status).toBe(200);
    const wanted = {
      accountId: admin.accountId,
      carrier: 'bearer',
      way: 'password',
      address: place,
      agent: '',
    } as const;
    const signIn = await server.app.get(SignInService, { strict: false }).start(server.database, wanted);
    expect((await from(place, signIn.secret)).status).toBe(200);
    // As "modfleet-server token create" does, in another process: the bus tells.
    const { token } = await server.app.get(ApiTokenService).create('fresh', null);
    await comesTrue(async () => expect((await from(place, token)).status).toBe(200));
    expect((await from(place, `${token.slice(0, -1)}${token.endsWith('A') ? 'E' : 'A'}`)).status).toBe(429);
  });
});

describe('an address that is no listed proxy', () => {
  it('forwards nobody: its own address counts', async () => {
    const caller = await testCaller(server.app, []);
    const direct = await server.app.inject({
      method: 'GET',
      url: '/api/v1/me',
      remoteAddress: '192.0.2.200',
      headers: { authorization: `Bearer ${caller.token}`, 'x-forwarded-for': '10.9.9.9' },
    });
    expect(direct.json<{ address: string }>().address).toBe('192.0.2.200');
  });
});

describe('security headers', () => {
  it('are on every answer, errors too', async () => {
    for (const path of ['/healthz', '/api/v1/nothing', '/%'])
      expect((await from('192.0.2.99', null, path)).headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'referrer-policy': 'no-referrer',
      });
  });
});
