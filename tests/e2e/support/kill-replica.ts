import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { makeJoinStrings } from '../../../bench/swarm/join-strings.ts';
import { Swarm } from '../../../bench/swarm/swarm.ts';
import { connectApi } from '../../../scripts/lib/api.ts';
import type { TestCluster } from './cluster.ts';
import { eventually } from './wait.ts';

const HOSTS = 90;
const SEED = 11;
/** One after the other, on each host. */
const VERBS = ['load', 'unload', 'load'] as const;
const AT_ONCE = 6;
/** What is promised. */
const BACK_MS = 60_000;
const QUIET = { fails: 0, hangs: 0, changesPerSecond: 0, vanishPerSecond: 0 };

/** What came of it, for who measures. */
export interface KillFigures {
  /** From the kill until every host was on another server, ms. */
  readonly backMs: number;
  /** From the restart until the three held equally many, ms. */
  readonly evenMs: number;
}

/** Actions go out to every host while the third server is killed; then it comes back. */
export async function killUnderLoad(cluster: TestCluster, hosts = HOSTS): Promise<KillFigures> {
  const [first, , victim] = cluster.servers;
  if (first === undefined || victim === undefined) throw new Error('three servers are needed');
  const total = async (): Promise<number> => (await cluster.held()).reduce((sum, each) => sum + each, 0);
  await eventually('no other host is connected', async () => (await total()) === 0 || undefined);
  const before = await actionCount(cluster);
  const swarm = Swarm.start({
    server: { host: '127.0.0.1', identityPort: cluster.identityPort },
    joinStrings: await makeJoinStrings(connectApi(first.http, cluster.token), hosts, SEED),
    hosts,
    processes: 1,
    seed: SEED,
    odds: QUIET,
  });
  try {
    await eventually('the swarm is connected', async () => (await total()) === hosts || undefined);
    await eventually('all have told what they have loaded', async () => (await notFresh(cluster)) === 0 || undefined);
    const hostIds = (await cluster.rows<{ id: string }>(IDLE)).map(({ id }) => id);
    const ids: string[] = [];
    const victimHeld = (await cluster.held())[victim.number] ?? 0;
    expect(victimHeld).toBeGreaterThan(hosts / 5);
    let killedAt = 0;
    const ask = async (wanted: string[], verb: (typeof VERBS)[number]): Promise<void> => {
      for (let hostId = wanted.pop(); hostId !== undefined; hostId = wanted.pop()) {
        ids.push(await requested(cluster, hostId, verb));
        if (ids.length !== Math.floor(hostIds.length * 1.5)) continue;
        killedAt = performance.now();
        await victim.process.end('SIGKILL');
      }
    };
    for (const verb of VERBS) {
      const wanted = [...hostIds];
      await Promise.all(Array.from({ length: AT_ONCE }, () => ask(wanted, verb)));
    }
    // The rows of a killed server stand until its beat is missed: who holds whom is counted of the others.
    await eventually('its hosts are on others', async () => {
      const held = await cluster.held();
      return (
        held.reduce((sum, each, number) => (number === victim.number ? sum : sum + each), 0) === hosts || undefined
      );
    });
    const backMs = performance.now() - killedAt;
    expect(backMs).toBeLessThan(BACK_MS);

    expect(new Set(ids).size).toBe(hostIds.length * VERBS.length);
    await eventually('every action has ended', async () => {
      const open = await cluster.rows(
        `SELECT a.id, a.state, a.verb, a.dispatched_at, a.expires_at, s.replica_id, s.disconnected_at FROM action a
           JOIN host_session s USING (host_id) WHERE a.id = ANY ($1) AND a.state <> 'ended'`,
        [ids],
      );
      if (open.length > 0) throw new Error(`${open.length} have not, such as ${JSON.stringify(open[0])}`);
      return true;
    });
    const outcomes = await cluster.rows<{ outcome: number; count: number }>(
      'SELECT outcome, count(*)::int FROM action WHERE id = ANY ($1) GROUP BY 1',
      [ids],
    );
    // 1: succeeded.
    expect(outcomes).toEqual([{ outcome: 1, count: ids.length }]);
    expect((await actionCount(cluster)) - before).toBe(ids.length);
    // The hosts' side: each action runs one routine of the kmod, once.
    await eventually('the swarm has told', () => swarm.counts().routines >= ids.length || undefined);
    await delay(1_000);
    expect(swarm.counts().routines).toBe(ids.length);
    // A request that is said again is answered again, from the journal: more answers, no more routines.
    expect(Object.keys(swarm.counts().actions)).toEqual(['succeeded']);

    return { backMs, evenMs: await comesBack(cluster, hosts) };
  } finally {
    await swarm.stop();
  }
}

/** The killed server is started again and gets its share; no host's inventory is without a word meanwhile. */
async function comesBack(cluster: TestCluster, hosts: number): Promise<number> {
  const [, , victim] = cluster.servers;
  if (victim === undefined) throw new Error('three servers are needed');
  const sessions = await cluster.rows<{ max: string }>('SELECT max(session_no) FROM host_session');
  const begun = performance.now();
  await cluster.restart(victim);
  let gaps = 0;
  let looks = 0;
  let isEven = false;
  const watching = (async () => {
    while (!isEven) {
      gaps += await notFresh(cluster);
      looks += 1;
      await delay(50);
    }
  })();
  try {
    await eventually('it has its share', async () => {
      const held = await cluster.held();
      return Math.max(...held) - Math.min(...held) <= hosts / 6 || undefined;
    });
  } finally {
    isEven = true;
    await watching;
  }
  const evenMs = performance.now() - begun;
  expect(looks).toBeGreaterThan(20);
  expect(gaps).toBe(0);
  const moved = await cluster.rows<{ count: number }>('SELECT count(*)::int FROM host_session WHERE session_no > $1', [
    sessions[0]?.max,
  ]);
  // Its share and no more: nobody is sent around.
  expect(moved[0]?.count).toBeLessThanOrEqual(Math.ceil(hosts / 3) + 1);
  return evenMs;
}

/** Those that have no tun by themselves: virtual machines hold it where they run. */
const IDLE = `SELECT h.id FROM host h JOIN session_presence p ON p.host_id = h.id WHERE p.live AND h.labels ->> 'role' <> 'kvm' ORDER BY 1`;

/** Hosts with a session of which it is not known now what they have loaded. */
async function notFresh(cluster: TestCluster): Promise<number> {
  const rows = await cluster.rows<{ count: number }>(
    `SELECT count(*)::int FROM facet_coverage c JOIN host_session s ON s.host_id = c.host_id AND s.disconnected_at IS NULL
      WHERE c.facet = 1 AND c.coverage <> 'fresh'`,
  );
  return rows[0]?.count ?? 0;
}

async function actionCount(cluster: TestCluster): Promise<number> {
  const rows = await cluster.rows<{ count: number }>('SELECT count(*)::int FROM action');
  return rows[0]?.count ?? 0;
}

/** As a careful client: the next server when one does not answer, under the same key. */
async function requested(cluster: TestCluster, host: string, verb: string): Promise<string> {
  const key = randomUUID();
  for (let attempt = 0; ; attempt += 1) {
    const server = cluster.servers[attempt % cluster.servers.length];
    if (server === undefined) throw new Error('no server');
    const body = { host, verb, kmod: 'tun', expiresIn: 600 };
    const reply = await cluster.api(server, 'POST', '/api/v1/actions', body, key).catch(() => undefined);
    if (reply?.status === 202) return String(reply.body['id']);
    // 409: the first one is still at it.
    if (reply !== undefined && ![409, 503].includes(reply.status))
      throw new Error(`${reply.status} ${JSON.stringify(reply.body)}`);
    if (attempt > 100) throw new Error(`nobody takes the action: ${JSON.stringify(reply?.body)}`);
    await delay(50);
  }
}
