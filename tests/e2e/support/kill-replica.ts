import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { makeJoinStrings } from '../../../bench/swarm/join-strings.ts';
import { Swarm } from '../../../bench/swarm/swarm.ts';
import { connectApi } from '../../../scripts/lib/api.ts';
import type { TestCluster } from './cluster.ts';
import { eventually } from './wait.ts';

const SEED = 11;
/** One after the other, on each host. */
const VERBS = ['load', 'unload', 'load'] as const;
const AT_ONCE = 6;
const QUIET = { fails: 0, hangs: 0, changesPerSecond: 0, vanishPerSecond: 0 };

/** What came of it. */
export interface KillFindings {
  /** Hosts that the server held that was killed. */
  readonly victimHeld: number;
  /** From the kill until every host was on another server, ms. */
  readonly backMs: number;
  /** Actions that were asked for, each under a key of its own. */
  readonly asked: number;
  /** Actions that the database has more than before. */
  readonly stored: number;
  /** How they ended: numbers of outcomes of the contract, and how many. */
  readonly outcomes: Readonly<Record<number, number>>;
  /** Init and exit routines that ran on the hosts: one for each action that was done once. */
  readonly routines: number;
  /** Outcomes of which the hosts told. */
  readonly told: readonly string[];
  readonly back: BackFindings;
}

/** The killed server came back. */
export interface BackFindings {
  /** From its start until the three held about equally many, ms. */
  readonly evenMs: number;
  /** How often it was looked whether each connected host's inventory is fresh, and how many hosts' were not, over all looks. */
  readonly looks: number;
  readonly gaps: number;
  /** Sessions that were opened. */
  readonly moved: number;
}

/** Actions go out to every host while the third server is killed; then it comes back. */
export async function killUnderLoad(cluster: TestCluster, hosts: number): Promise<KillFindings> {
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
    const elsewhere = async (): Promise<number> => (await total()) - ((await cluster.held())[victim.number] ?? 0);
    await eventually('its hosts are on others', async () => (await elsewhere()) === hosts || undefined);
    const backMs = performance.now() - killedAt;
    await eventually('every action has ended', () => noneOpen(cluster, ids));
    await eventually('the swarm has told', () => swarm.counts().routines >= ids.length || undefined);
    await delay(1_000);
    const { routines, actions } = swarm.counts();
    return {
      victimHeld,
      backMs,
      asked: new Set(ids).size,
      stored: (await actionCount(cluster)) - before,
      outcomes: await outcomesOf(cluster, ids),
      routines,
      told: Object.keys(actions),
      back: await comesBack(cluster, hosts),
    };
  } finally {
    await swarm.stop();
  }
}

/** The killed server is started again and gets its share; each host's inventory is looked at meanwhile. */
async function comesBack(cluster: TestCluster, hosts: number): Promise<BackFindings> {
  const [, , victim] = cluster.servers;
  if (victim === undefined) throw new Error('three servers are needed');
  const [newest] = await cluster.rows<{ max: string }>('SELECT max(session_no) FROM host_session');
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
  const [moved] = await cluster.rows<{ count: number }>(
    'SELECT count(*)::int FROM host_session WHERE session_no > $1',
    [newest?.max],
  );
  return { evenMs, looks, gaps, moved: moved?.count ?? 0 };
}

/** @throws while one has not ended. */
async function noneOpen(cluster: TestCluster, ids: readonly string[]): Promise<true> {
  const open = await cluster.rows(
    `SELECT a.id, a.state, a.verb, a.dispatched_at, a.expires_at, s.replica_id, s.disconnected_at FROM action a
       JOIN host_session s USING (host_id) WHERE a.id = ANY ($1) AND a.state <> 'ended'`,
    [ids],
  );
  if (open.length > 0) throw new Error(`${open.length} have not, such as ${JSON.stringify(open[0])}`);
  return true;
}

async function outcomesOf(cluster: TestCluster, ids: readonly string[]): Promise<Record<number, number>> {
  const rows = await cluster.rows<{ outcome: number; count: number }>(
    'SELECT outcome, count(*)::int FROM action WHERE id = ANY ($1) GROUP BY 1',
    [ids],
  );
  return Object.fromEntries(rows.map(({ outcome, count }) => [outcome, count]));
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
