import { setTimeout as delay } from 'node:timers/promises';
import { Outcome } from '@modfleet/proto';
import type { ClusterServer } from './cluster.ts';
import { KMOD, type RolloutCluster } from './rollout-cluster.ts';
import { judgeRollout, mostAtOnce, type Problem, sentOverBudget } from './rollout-judge.ts';
import { mix } from './rollout-mix.ts';
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
  /** Ends of its actions: what is resolved later stands here as it ended. */
  readonly ended: Readonly<Record<string, number>>;
  /** Refusals by what decided them: a kmod in use is asked about again. */
  readonly refused: Readonly<Record<string, number>>;
  readonly mostAtOnce: number;
  readonly sentOverBudget: number;
  readonly problems: readonly Problem[];
}

const LEASE_S = 3;
/** Servers that do not rest as long as they do unless told otherwise: nothing happens meanwhile. */
export const SHORT_RESTS = {
  MODFLEET_ROLLOUT_LEASE_SECONDS: String(LEASE_S),
  MODFLEET_ROLLOUT_RETRY_SECONDS: '1',
} as const;
/** A lease that is not renewed is over, and a free one is looked for every second; then a busy machine. */
const TAKEN_OVER_MS = LEASE_S * 1000 + 5_000;

/** One rollout over all hosts: a seed decides what it is, what the hosts do, who is killed, and when. The servers have {@link SHORT_RESTS}. */
export async function killRound(on: RolloutCluster, seed: number): Promise<RolloutKill> {
  const random = seededRandom(seed);
  const victim = VICTIMS[seed % VICTIMS.length] ?? 'both';
  const verb = random() < 0.5 ? 'load' : 'unload';
  const { hosts } = on;
  const begun = performance.now();
  hosts.prepare(KMOD, verb === 'unload');
  // What hosts are like may change between the plan and the rollout, or be what the plan has seen.
  const seenByPlan = random() < 0.5 ? mix(on, verb, random) : undefined;
  const plan = await on.planned(verb);
  const asked = seenByPlan ?? mix(on, verb, random);
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
  if (victim === 'both') {
    await restart(on, victims);
    on.hosts.tryAgain();
  }
  const takenOver = victim === 'other' ? Promise.resolve(null) : takenOverMs(on, id, term, killedAt);
  const state = await on.ended(id);
  goneOn.stop();
  await goneOn.done;
  if (victim !== 'both') await restart(on, victims);
  await on.connected();
  const tookOverMs = await takenOver;
  await returnLate(on, id, verb);
  const seen = await on.seen(id, verb, asked, true);
  const tookMs = performance.now() - begun;
  const problems = judgeRollout(seen);
  // Two servers that have to start again need longer, and nobody counts on them.
  if (victim === 'watcher' && tookOverMs !== null && tookOverMs > TAKEN_OVER_MS)
    problems.push({ kind: 'wrong', words: `the other server took the rollout after ${Math.round(tookOverMs)} ms` });
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
    ended: tally(seen.actions.map(({ outcome }) => outcome ?? 'open')),
    refused: await refusedBy(on, id),
    mostAtOnce: mostAtOnce(seen.actions),
    sentOverBudget: sentOverBudget(seen).length,
    problems,
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

/** Routines that hang return at last. An agent looks at what is stuck before anything else that it is asked: a plan asks all. */
async function returnLate(on: RolloutCluster, id: string, verb: 'load' | 'unload'): Promise<void> {
  const stuck = async (): Promise<number> =>
    (await on.actions(id)).filter(({ outcome, resolved }) => outcome === 'stuck' && resolved === null).length;
  if ((await stuck()) === 0) return;
  on.hosts.returnLate(KMOD);
  await on.planned(verb);
  // What never comes is told by the judge.
  await eventually('what was stuck is resolved', async () => (await stuck()) === 0 || undefined, 10_000).catch(
    () => undefined,
  );
}

async function refusedBy(on: RolloutCluster, id: string): Promise<Record<string, number>> {
  const rows = await on.cluster.rows<{ code: string }>(
    `SELECT coalesce(verdict ->> 'decidedBy', 'nobody') AS code FROM action WHERE rollout_id = $1 AND outcome = $2`,
    [id, Outcome.OUTCOME_REFUSED],
  );
  return tally(rows.map(({ code }) => code));
}

function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
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
