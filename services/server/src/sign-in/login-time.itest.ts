import { expect, it, vi } from 'vitest';
import { ApiServer } from '../testing/api-server.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { LoginLimiter } from './limits/login-limiter.ts';
import { HashQueue } from './passwords/hash-queue.ts';
import { addPerson, hashCheaply, logIn } from './testing/people.ts';

let server: ApiServer;
onTestDatabase(async (url) => {
  server = await ApiServer.start(url, { MODFLEET_TRUSTED_PROXY: '127.0.0.1' });
  hashCheaply(server);
  await addPerson(server, 'kim');
  await addPerson(server, 'nopass', { password: null });
  return server;
});

/** Each kind in turn, so that what else the machine does falls on all alike. */
const KINDS = ['kim', 'nobody', 'nopass'] as const;

/** Milliseconds of processor time that a wrong password takes. */
async function refusedIn(user: string): Promise<number> {
  await server.database.query('TRUNCATE login_counter');
  const began = process.cpuUsage();
  const { body } = await logIn(server, user, { password: 'wrong horse battery' }, { 'x-forwarded-for': '10.0.0.1' });
  const used = process.cpuUsage(began);
  expect(body.code).toBe('login_failed');
  return (used.user + used.system) / 1000;
}

it('a name that nobody has leads to the same statements and one hashing, as a wrong password does', async () => {
  const queries = vi.spyOn(server.database, 'query');
  const counting = vi.spyOn(server.app.get(LoginLimiter, { strict: false }), 'count');
  const hashing = vi.spyOn(server.app.get(HashQueue, { strict: false }), 'run');
  const seen: unknown[] = [];
  for (const kind of KINDS) {
    for (const spy of [queries, counting, hashing]) spy.mockClear();
    await refusedIn(kind);
    // The server's own sweeps go on meanwhile.
    const statements = queries.mock.calls
      .map(([text]) => text.trim().split(/\s+/).slice(0, 6).join(' '))
      .filter((text) => /FROM (sign_in|account_password)|name, kind/.test(text));
    seen.push([statements, counting.mock.calls.length, hashing.mock.calls.length]);
  }
  vi.restoreAllMocks();
  expect(seen[0]).toEqual([
    [
      expect.stringContaining('name, kind'),
      expect.stringContaining('FROM sign_in'),
      expect.stringContaining('FROM account_password'),
    ],
    1,
    1,
  ]);
  expect(seen[1]).toEqual(seen[0]);
  expect(seen[2]).toEqual(seen[0]);
});

it('and takes as long, at what hashing costs in earnest', async () => {
  hashCheaply(server, false);
  await server.database.query('TRUNCATE account CASCADE');
  await addPerson(server, 'kim');
  await addPerson(server, 'nopass', { password: null });
  const least: Record<string, number> = {};
  for (let round = 0; round < 5; round += 1)
    for (const kind of KINDS) least[kind] = Math.min(least[kind] ?? Infinity, await refusedIn(kind));
  const { kim = 0, nobody = 0, nopass = 0 } = least;
  console.info(
    `wrong password ${kim.toFixed(1)} ms of processor, nobody ${nobody.toFixed(1)}, no password ${nopass.toFixed(1)}`,
  );
  // Without hashing an answer takes some 5 ms. The least of five, because a busy machine only ever adds.
  expect(kim).toBeGreaterThan(30);
  for (const other of [nobody, nopass]) expect(Math.abs(other - kim) / kim).toBeLessThan(0.4);
}, 240_000);

it('a flood is answered, most of it at once, and the server lives on', async () => {
  hashCheaply(server, false);
  await server.database.query('TRUNCATE login_counter');
  const before = process.memoryUsage.rss();
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss() - before)), 20);
  const tries = Array.from({ length: 80 }, (_none, index) =>
    logIn(server, `name-${index}`, {}, { 'x-forwarded-for': `10.1.${index}.1` }),
  );
  const alive = await server.call('GET', '/healthz', { token: null });
  const codes = (await Promise.all(tries)).map(({ body }) => body.code);
  clearInterval(watch);
  console.info(`80 at once: ${(most / 2 ** 20).toFixed(0)} MiB more at most`);
  expect(alive.status).toBe(200);
  expect(new Set(codes)).toEqual(new Set(['login_failed', 'overloaded']));
  // Two are hashed, 24 wait; while they do, a few more may find room.
  expect(codes.filter((code) => code === 'overloaded').length).toBeGreaterThan(30);
}, 240_000);
