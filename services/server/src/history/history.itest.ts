import { beforeAll, describe, expect, it } from 'vitest';
import type { Problem } from '../api-types.ts';
import { insertEvents } from '../events/event.queries.ts';
import { closeSessions } from '../presence/session.queries.ts';
import { openSession } from '../testing/open-session.ts';
import { ApiServer } from '../testing/api-server.ts';
import { Fleet } from '../testing/fleet.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { testCaller } from '../testing/test-access.ts';
import { hostPastSchema, kmodPastSchema } from './history.schema.ts';

const HOUR_MS = 3_600_000;
let server: ApiServer;
let fleet: Fleet;
const ids: Record<string, string> = {};
const now = Date.now();
const hoursAgo = (hours: number): string => new Date(now - hours * HOUR_MS).toISOString();
const kmodId = async (name: string): Promise<number> =>
  (await server.database.query<{ id: number }>('SELECT id FROM kmod WHERE name = $1', [name]))[0]?.id ?? 0;

/** Something that came (1), went (2) or changed (3), so many hours ago. */
async function event(
  host: string,
  kmod: string,
  kind: number,
  hours: number,
  detail: object | null = null,
): Promise<void> {
  const row = { hostId: ids[host] ?? '', kmodId: await kmodId(kmod), kind, actionId: null, source: 'poll' };
  await insertEvents(server.database, [{ ...row, ageMs: Date.now() - now + hours * HOUR_MS, detail: detail as never }]);
}
const connected = (host: string, from: number, until: number): Promise<object[]> =>
  server.database.query(`INSERT INTO host_seen (host_id, seen_from, seen_until) VALUES ($1, $2, $3)`, [
    ids[host],
    hoursAgo(from),
    hoursAgo(until),
  ]);
/** The present connection began so many hours ago. */
const since = (host: string, hours: number): Promise<object[]> =>
  server.database.query('UPDATE host_session SET connected_at = $2 WHERE host_id = $1', [ids[host], hoursAgo(hours)]);

onTestDatabase(async (url) => (server = await ApiServer.start(url)));
beforeAll(async () => {
  fleet = new Fleet(server.app);
  const add = async (seed: Parameters<Fleet['add']>[0]): Promise<void> => {
    ids[seed.name] = await fleet.add(seed);
    await server.database.query('UPDATE host SET enrolled_at = $2 WHERE id = $1', [ids[seed.name], hoursAgo(100)]);
  };
  const tree = { available: ['floppy', 'ext4', 'e1000e', 'old'], config: {} };
  // Connected all the time: floppy was loaded 10 h ago, old was unloaded 5 h ago, e1000e was another build until 3 h ago.
  await add({
    name: 'steady',
    loaded: ['floppy', 'ext4', { name: 'e1000e', buildId: 'new' }],
    labels: { env: 'prod' },
    ...tree,
  });
  await since('steady', 90);
  await event('steady', 'floppy', 1, 10);
  await event('steady', 'old', 2, 5);
  await event('steady', 'e1000e', 3, 3, { buildId: { from: 'before', to: 'new' } });
  // Connected from 90 to 50 h ago, and again since 20 h ago; floppy was found unloaded when it was back.
  await add({ name: 'away', loaded: ['ext4'], labels: { env: 'dev' }, ...tree });
  await connected('away', 90, 50);
  await since('away', 20);
  await event('away', 'floppy', 2, 20);
  // Seen until 40 h ago, and not since.
  await add({ name: 'gone', loaded: ['floppy'], presence: 'silent', labels: { env: 'prod' }, ...tree });
  await since('gone', 60);
  await server.database.query('UPDATE host_session SET disconnected_at = $2 WHERE host_id = $1', [
    ids['gone'],
    hoursAgo(40),
  ]);
  // Has never said what it has loaded.
  await add({ name: 'mute', labels: { env: 'dev' } });
  await since('mute', 90);
});

const host = (name: string, hours: number) => server.read(`/hosts/${name}/past?at=${hoursAgo(hours)}`, hostPastSchema);
const names = async (name: string, hours: number): Promise<string[] | undefined> =>
  (await host(name, hours)).kmods?.map((kmod) => kmod.name);

describe('GET /hosts/{host}/past', () => {
  it('takes back what came, went and changed since', async () => {
    expect(await names('steady', 1)).toEqual(['e1000e', 'ext4', 'floppy']);
    expect(await names('steady', 7)).toEqual(['e1000e', 'ext4', 'floppy', 'old']);
    expect(await names('steady', 30)).toEqual(['e1000e', 'ext4', 'old']);
    const past = await host('steady', 30);
    expect(past).toMatchObject({ seen: true, seenAt: hoursAgo(30), seenNext: null, unknown: null });
    expect(past.kmods?.find((kmod) => kmod.name === 'e1000e')).toMatchObject({ buildId: 'before', whole: true });
    expect(past.kmods?.find((kmod) => kmod.name === 'old')).toMatchObject({ buildId: null, size: null, whole: false });
  });

  it('says of a host that was away when it was last and next seen, and what it had then', async () => {
    expect(await host('away', 60)).toMatchObject({ seen: true, unknown: null });
    expect(await host('away', 30)).toMatchObject({ seen: false, seenAt: hoursAgo(50), seenNext: hoursAgo(20) });
    expect(await names('away', 30)).toEqual(['ext4', 'floppy']);
    expect(await names('away', 10)).toEqual(['ext4']);
    expect(await host('gone', 10)).toMatchObject({ seen: false, seenAt: hoursAgo(40), seenNext: null });
    expect(await names('gone', 10)).toEqual(['floppy']);
  });

  it('knows nothing of the time before a host joined, before its first connection, and of one that never reported', async () => {
    const nothing = { seen: false, seenAt: null, seenNext: null, kmods: null };
    expect(await host('steady', 120)).toMatchObject({ ...nothing, unknown: 'before_joining' });
    expect(await host('gone', 70)).toMatchObject({ ...nothing, unknown: 'before_first_report' });
    expect(await host('mute', 10)).toMatchObject({ ...nothing, unknown: 'never_reported' });
  });

  it('refuses times to come and times that are not kept, and says which are', async () => {
    const ask = async (at: string): Promise<Problem> =>
      (await server.call('GET', `/api/v1/hosts/steady/past?at=${at}`)).body;
    expect(await ask(hoursAgo(-5))).toMatchObject({
      code: 'query_invalid',
      detail: expect.stringContaining('not come') as string,
    });
    expect(await ask(hoursAgo(24 * 400))).toMatchObject({
      status: 410,
      code: 'history_not_kept',
      detail: expect.stringMatching(/the earliest time is \d{4}-/) as string,
    });
    expect(await ask('yesterday')).toMatchObject({ code: 'query_invalid' });
  });
});

const kmod = (name: string, hours: number, query = '') =>
  server.read(`/kmods/${name}/past?at=${hoursAgo(hours)}${query}`, kmodPastSchema);

describe('GET /kmods/{name}/past', () => {
  it('counts hosts that were connected then, and tells the others apart', async () => {
    expect(await kmod('floppy', 55)).toMatchObject({
      counts: { loaded: 2, notLoaded: 1, unknown: 1 },
      lastSeen: { loaded: 0, notLoaded: 0 },
    });
    expect(await kmod('floppy', 30)).toMatchObject({
      counts: { loaded: 0, notLoaded: 1, unknown: 3 },
      lastSeen: { loaded: 2, notLoaded: 0 },
    });
    expect(await kmod('floppy', 5)).toMatchObject({
      counts: { loaded: 1, notLoaded: 1, unknown: 2 },
      lastSeen: { loaded: 1, notLoaded: 0 },
    });
  });

  it('says the same of every host as its own page does, whenever', async () => {
    for (const hours of [1, 4, 7, 15, 30, 45, 55, 70, 95, 110])
      for (const name of ['floppy', 'old', 'ext4', 'e1000e']) {
        const { items } = await kmod(name, hours, '&presence=any');
        expect(items.map((item) => item.host.name)).toEqual(['away', 'gone', 'mute', 'steady']);
        for (const item of items) {
          const own = await host(item.host.name, hours);
          expect({ ...item, presence: null }).toMatchObject({
            seen: own.seen,
            seenAt: own.seenAt,
            seenNext: own.seenNext,
            unknown: own.unknown,
          });
          const had =
            own.kmods === null ? 'unknown' : own.kmods.some((each) => each.name === name) ? 'loaded' : 'not_loaded';
          expect(`${item.host.name} ${name} ${hours}: ${item.presence}`).toBe(
            `${item.host.name} ${name} ${hours}: ${had}`,
          );
        }
      }
  });

  it('is narrowed by a selector, pages, and lists what had it unless told otherwise', async () => {
    expect((await kmod('floppy', 55, '&selector=env%3Dprod')).items.map((item) => item.host.name)).toEqual(['gone']);
    const first = await kmod('floppy', 55, '&presence=any&limit=3');
    expect(first.items.map((item) => item.host.name)).toEqual(['away', 'gone', 'mute']);
    const second = await kmod('floppy', 55, `&presence=any&limit=3&cursor=${first.nextCursor ?? ''}`);
    expect(second).toMatchObject({ items: [{ host: { name: 'steady' } }], nextCursor: null });
  });

  it('shows a caller only the hosts that it may read', async () => {
    const { token } = await testCaller(server.app, [['viewer', 'env=dev']]);
    const { body } = await server.call<{ items: { host: { name: string } }[]; counts: object }>(
      'GET',
      `/api/v1/kmods/floppy/past?at=${hoursAgo(55)}&presence=any`,
      { token },
    );
    expect(body.items.map((item) => item.host.name)).toEqual(['away', 'mute']);
    expect(body.counts).toEqual({ loaded: 1, notLoaded: 0, unknown: 1 });
    const other = await server.call('GET', `/api/v1/hosts/steady/past?at=${hoursAgo(5)}`, { token });
    expect(other.body.code).toBe('host_not_found');
  });
});

describe('connections on record', () => {
  const seen = async (host: string): Promise<{ from: string; until: string }[]> =>
    (
      await server.database.query<{ from: Date; until: Date }>(
        'SELECT seen_from AS "from", seen_until AS until FROM host_seen WHERE host_id = $1 ORDER BY seen_until',
        [ids[host]],
      )
    ).map((row) => ({ from: row.from.toISOString(), until: row.until.toISOString() }));
  const add = async (name: string): Promise<void> => {
    ids[name] = await fleet.add({ name, loaded: [] });
  };

  it('are written once when a session ends, and not for a late end of an older one', async () => {
    await add('ending');
    await since('ending', 2);
    const [{ no } = { no: 0 }] = await server.database.query<{ no: number }>(
      'SELECT session_no AS no FROM host_session WHERE host_id = $1',
      [ids['ending']],
    );
    const hostId = ids['ending'] ?? '';
    await closeSessions(server.database, [{ hostId, sessionNo: no }]);
    await closeSessions(server.database, [{ hostId, sessionNo: no }]);
    const [first, ...others] = await seen('ending');
    expect(others).toEqual([]);
    expect(first?.from).toBe(hoursAgo(2));
    expect(Math.abs(Date.parse(first?.until ?? '') - Date.now())).toBeLessThan(60_000);
  });

  it('of a session that a newer one replaces end at the last beat of a replica that died', async () => {
    await add('replaced');
    await since('replaced', 5);
    const dead = '00000000-0000-4000-8000-00000000dead';
    await server.database.query('INSERT INTO replica (id, beat_at) VALUES ($1, $2)', [dead, hoursAgo(3)]);
    await server.database.query('UPDATE host_session SET replica_id = $2 WHERE host_id = $1', [ids['replaced'], dead]);
    await openSession(server.database, { hostId: ids['replaced'] ?? '', replicaId: dead, bootId: 'b', address: 'a' });
    expect(await seen('replaced')).toEqual([{ from: hoursAgo(5), until: hoursAgo(3) }]);
  });
});
