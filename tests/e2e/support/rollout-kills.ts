import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterServer } from './cluster.ts';
import { KMOD, type RolloutAsked, type RolloutCluster } from './rollout-cluster.ts';
import { judgeRollout, mostAtOnce, sentOverBudget } from './rollout-judge.ts';
import { seededRandom } from './seeded-random.ts';
import { eventually } from './wait.ts';

/** Whom SIGKILL comes upon. */
export const VICTIMS = ['watcher', 'other', 'both'] as const;
export type Victim = (typeof VICTIMS)[number];

/** One rollout during which servers were killed. */
export interface RolloutKill {
  readonly seed: number;
  readonly victim: Victim;
  readonly verb: 'load' | 'unload';
  readonly onBudget: string;
  /** What had become of its actions when the signal was sent, by state. */
  readonly atKill: Readonly<Record<string, number>>;
  /** From the signal until another watcher had the lease, ms; null: it had not, because the watcher lived or the rollout was over. */
  readonly takenOverMs: number | null;
  readonly tookMs: number;
  readonly state: string;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly actions: number;
  readonly routines: number;
  readonly mostAtOnce: number;
  readonly sentOverBudget: number;
  readonly problems: readonly string[];
}

/** A lease that is not renewed is over after 10 s, and a free one is looked for every second; then a busy machine. */
const TAKEN_OVER_MS = 15_000;

/** One rollout over all hosts: a seed decides what it is, what the hosts do, who is killed, and when. */
export async function killRound(on: RolloutCluster, seed: number): Promise<RolloutKill> {
  const random = seededRandom(seed);
  const victim = VICTIMS[seed % VICTIMS.length] ?? 'both';
  const verb = random() < 0.5 ? 'load' : 'unload';
  const { hosts } = on;
  hosts.prepare(KMOD, verb === 'unload');
  const plan = await on.planned(verb);
  const asked = askedBy(random, mixed(on, verb, random));
  const begun = performance.now();
  const id = await on.create(plan, asked);
  const killAfter = Math.floor(random() * hosts.hosts.length);
  const goneOn = decidePauses(on, id, random);
  await eventually(
    'it is time to kill',
    async () => hosts.arrivals >= killAfter || (await isOver(on, id)) || undefined,
    60_000,
    1,
  );
  await delay(40 * random());
  const watcher = await on.watcherOf(id);
  const victims = on.cluster.servers.filter(
    (each) => victim === 'both' || (each === watcher) === (victim === 'watcher'),
  );
  const { lease_term: term } = await on.row(id);
  const atKill = await statesOf(on, id);
  const killedAt = performance.now();
  await Promise.all(victims.map(({ process }) => process.end('SIGKILL')));
  if (victim === 'both') await restart(on, victims);
  const takenOver = victim === 'other' ? Promise.resolve(null) : takenOverMs(on, id, term, killedAt);
  const state = await on.ended(id);
  goneOn.stop();
  await goneOn.done;
  const tookMs = performance.now() - begun;
  if (victim !== 'both') await restart(on, victims);
  await on.connected();
  const seen = await on.seen(id, verb, asked);
  const tookOverMs = await takenOver;
  const problems = judgeRollout(seen);
  // Two servers that have to start again need longer, and nobody counts on them.
  if (victim === 'watcher' && tookOverMs !== null && tookOverMs > TAKEN_OVER_MS)
    problems.push(`the other server took the rollout after ${Math.round(tookOverMs)} ms`);
  return {
    seed,
    victim,
    verb,
    onBudget: asked.onBudget,
    atKill,
    takenOverMs: tookOverMs === null ? null : Math.round(tookOverMs),
    tookMs: Math.round(tookMs),
    state,
    outcomes: seen.listed,
    actions: seen.actions.length,
    routines: seen.ran.length,
    mostAtOnce: mostAtOnce(seen.actions),
    sentOverBudget: sentOverBudget(seen).length,
    problems,
  };
}

/** Some hosts fail, on some somebody was faster, and one is in use. @returns how many will fail. */
function mixed(on: RolloutCluster, verb: 'load' | 'unload', random: () => number): number {
  let failing = 0;
  for (const name of on.names()) {
    const drawn = random();
    if (drawn < 0.15) {
      on.hosts.fails(name);
      failing += 1;
    } else if (drawn < 0.25) on.hosts.change(name, KMOD, verb === 'load');
  }
  return failing;
}

function askedBy(random: () => number, failing: number): RolloutAsked {
  const strict = random() < 0.5;
  const onBudget = (['pause', 'abort', 'roll_back'] as const)[Math.floor(random() * 3)] ?? 'pause';
  return {
    waves: ['2', '30%', '100%'],
    concurrency: 4 + Math.floor(random() * 8),
    mayFail: strict ? Math.floor((random() * failing) / 2) : failing,
    onBudget,
    deadline: 600,
  };
}

/** A person who resumes, aborts or rolls back what has paused. */
function decidePauses(on: RolloutCluster, id: string, random: () => number) {
  let stopped = false;
  const drawn = random();
  const what = drawn < 0.4 ? 'resume' : drawn < 0.7 ? 'abort' : 'roll-back';
  const done = (async () => {
    while (!stopped) {
      const { state } = await on.row(id);
      // Somebody else's answer may have come first: then there is nothing to say.
      if (state === 'paused') await on.control(id, what).catch(() => undefined);
      await delay(200);
    }
  })();
  return { stop: () => void (stopped = true), done };
}

async function isOver(on: RolloutCluster, id: string): Promise<boolean> {
  return ['succeeded', 'failed', 'aborted', 'rolled_back', 'paused'].includes((await on.row(id)).state);
}

async function statesOf(on: RolloutCluster, id: string): Promise<Record<string, number>> {
  const rows = await on.cluster.rows<{ state: string; count: number }>(
    'SELECT state, count(*)::int FROM action WHERE rollout_id = $1 GROUP BY 1 ORDER BY 1',
    [id],
  );
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
}

/** Null: the rollout was over before anybody had to take it. */
async function takenOverMs(on: RolloutCluster, id: string, term: number, sinceMs: number): Promise<number | null> {
  return eventually(
    'another watcher takes it',
    async () => {
      if ((await on.row(id)).lease_term > term) return performance.now() - sinceMs;
      return (await on.cluster.rows('SELECT 1 FROM rollout WHERE id = $1 AND ended_at IS NOT NULL', [id])).length > 0
        ? null
        : undefined;
    },
    60_000,
  );
}

function restart(on: RolloutCluster, servers: readonly ClusterServer[]): Promise<unknown> {
  return Promise.all(servers.map((server) => on.cluster.restart(server)));
}
