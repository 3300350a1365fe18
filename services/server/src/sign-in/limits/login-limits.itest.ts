import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiServer } from '../../testing/api-server.ts';
import { onTestDatabase } from '../../testing/on-test-database.ts';
import { addPerson, hashCheaply, logIn } from '../testing/people.ts';

let server: ApiServer;
onTestDatabase(async (url) => {
  server = await ApiServer.start(url, { MODFLEET_TRUSTED_PROXY: '127.0.0.1' });
  hashCheaply(server);
  return server;
});
beforeEach(() => addPerson(server, 'kim'));
afterEach(() =>
  server.database.query('TRUNCATE sign_in, account_password, login_counter, access_grant, account, api_token CASCADE'),
);

const HOME = '192.0.2.7';
const from = (address: string) => ({ 'x-forwarded-for': address });
const wrong = (user: string, address: string) =>
  logIn(server, user, { password: 'wrong horse battery' }, from(address));
/** Time passes, for the counters. */
const pass = (seconds: number) =>
  server.database.query(
    `UPDATE login_counter SET blocked_until = blocked_until - make_interval(secs => $1), last_at = last_at - make_interval(secs => $1)`,
    [seconds],
  );

describe('login limits', () => {
  it('slow down who guesses at one account from everywhere, and tell how long', async () => {
    for (let index = 0; index < 6; index += 1)
      expect((await wrong('kim', `10.0.${index}.1`)).body.code).toBe('login_failed');
    const refused = await wrong('kim', '10.1.0.1');
    expect([refused.status, refused.body.code, refused.body.retryAfterSeconds]).toEqual([429, 'rate_limited', 1]);
    expect(refused.headers['retry-after']).toBe('1');
    // Also with the right password, from where the account has never been.
    expect((await logIn(server, 'kim', {}, from('10.2.0.1'))).body.code).toBe('rate_limited');
    await pass(1.1);
    expect((await wrong('kim', '10.1.0.2')).body.code).toBe('login_failed');
    expect((await wrong('kim', '10.1.0.3')).body.retryAfterSeconds).toBe(2);
  });

  it('never close the account to its owner where it has signed in before', async () => {
    expect((await logIn(server, 'kim', {}, from(HOME))).status).toBe(200);
    for (let round = 0; round < 15; round += 1) {
      await wrong('kim', `10.0.${round}.1`);
      await pass(1000);
    }
    expect((await wrong('kim', '10.9.0.1')).body.code).toBe('login_failed');
    expect((await wrong('kim', '10.9.0.1')).body.code).toBe('rate_limited');
    expect((await logIn(server, 'kim', {}, from(HOME))).status).toBe(200);
  });

  it('slow down who guesses from where the owner is, for a minute at most', async () => {
    expect((await logIn(server, 'kim', {}, from(HOME))).status).toBe(200);
    let longest = 0;
    for (let round = 0; round < 25; round += 1) {
      const { body } = await wrong('kim', HOME);
      longest = Math.max(longest, body.retryAfterSeconds ?? 0);
      if (body.code === 'rate_limited') await pass(body.retryAfterSeconds ?? 0);
    }
    expect(longest).toBeGreaterThan(8);
    expect(longest).toBeLessThanOrEqual(60);
    await pass(60);
    expect((await logIn(server, 'kim', {}, from(HOME))).status).toBe(200);
    const counters = await server.database.query<{ failures: number }>('SELECT failures FROM login_counter');
    expect(counters.map(({ failures }) => failures).toSorted()).toEqual([0, 0, 0]);
  });

  it('slow down who tries many names from one place; an IPv6 network is one place', async () => {
    for (let index = 0; index < 21; index += 1) {
      const answer = await wrong(`name-${index}`, `2001:db8:1:2::${index + 1}`);
      expect(answer.body.code).toBe('login_failed');
    }
    expect((await wrong('another', '2001:db8:1:2:ffff::9')).body.code).toBe('rate_limited');
    expect((await wrong('another', '2001:db8:1:3::9')).body.code).toBe('login_failed');
  });

  it('count tries that come at once: thirty are six', async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, (_none, index) => wrong('kim', `10.3.${index}.1`)));
    const failed = answers.filter(({ body }) => body.code === 'login_failed');
    expect(failed.length).toBe(6);
    expect(new Set(answers.map(({ body }) => body.code))).toEqual(new Set(['login_failed', 'rate_limited']));
  });

  it('hold for a name that nobody has, too', async () => {
    for (let index = 0; index < 6; index += 1) await wrong('nobody', `10.4.${index}.1`);
    expect((await wrong('nobody', '10.5.0.1')).body.code).toBe('rate_limited');
    expect((await wrong('NOBODY', '10.5.0.2')).body.code).toBe('rate_limited');
  });

  it('are counted once, whatever an account is called by', async () => {
    const [account] = await server.database.query<{ id: string }>(`SELECT id FROM account WHERE name = 'kim'`);
    for (let index = 0; index < 6; index += 1) await wrong(account?.id ?? '', `10.6.${index}.1`);
    expect((await wrong('kim', '10.7.0.1')).body.code).toBe('rate_limited');
  });

  it('keep no name and no address in the clear', async () => {
    await wrong('typed-a-password-here', '10.8.0.1');
    const rows = await server.database.query<{ all: string }>('SELECT json_agg(c)::text AS all FROM login_counter c');
    expect(rows[0]?.all).not.toContain('10.8.0.1');
    expect(rows[0]?.all).not.toContain('typed-a');
    expect(rows[0]?.all).not.toContain(Buffer.from('typed-a-password').toString('hex'));
  });
});
