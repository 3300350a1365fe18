import { setTimeout as delay } from 'node:timers/promises';
import { KMOD, type RolloutAsked, type RolloutCluster } from './rollout-cluster.ts';
import { judgeRollout, type Problem } from './rollout-judge.ts';
import { eventually } from './wait.ts';

/** One rollout that went on through something. */
export interface FaultFindings {
  readonly state: string;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly actions: number;
  readonly routines: number;
  readonly problems: readonly Problem[];
}

/** Slow enough to meet what comes. */
const SLOW: RolloutAsked = {
  waves: ['2', '40%', '100%'],
  concurrency: 3,
  mayFail: 0,
  onBudget: 'pause',
  deadline: 600,
};
const REACHED = 6;
/** Between the answer to a pause or freeze and the last dispatch, ms. */
const STOPPED_MS = 1_000;
/** A host that is back is asked at once. */
const LATE_MS = 20_000;
/** A dispatch that comes late would have come by then. */
const QUIET_MS = 3_000;

export interface Begun {
  readonly id: string;
  end(): Promise<FaultFindings>;
}

/** A rollout that has reached a few hosts. */
export async function begun(
  on: RolloutCluster,
  verb: 'load' | 'unload',
  options: Partial<RolloutAsked> = {},
): Promise<Begun> {
  const asked = { ...SLOW, ...options };
  on.hosts.prepare(KMOD, verb === 'unload');
  const id = await on.create(await on.planned(verb), asked);
  await eventually('some hosts are reached', () => on.hosts.arrivals >= REACHED || undefined, 60_000, 10);
  const end = async (): Promise<FaultFindings> => {
    const state = await on.ended(id);
    await on.connected();
    await openResolved(on, id);
    const seen = await on.seen(id, verb, asked, true);
    const { listed: outcomes, actions, ran } = seen;
    return { state, outcomes, actions: actions.length, routines: ran.length, problems: judgeRollout(seen) };
  };
  return { id, end };
}

/** Of what nobody had heard in time the hosts are asked when they are back. What never comes is told by the judge. */
async function openResolved(on: RolloutCluster, id: string): Promise<void> {
  const open = async (): Promise<boolean> =>
    (await on.actions(id)).some(({ outcome, resolved }) => outcome === 'unconfirmed' && resolved === null);
  await eventually('nothing is left open', async () => !(await open()) || undefined, LATE_MS).catch(() => undefined);
}

export interface StoppedFindings extends FaultFindings {
  /** From SIGSTOP until the other server had the lease, ms. */
  readonly takenOverMs: number;
  /** Actions that were made while the first watcher was stopped. */
  readonly madeMeanwhile: number;
}

/** The watcher's process stands still past its lease; the other one goes on, and the first changes nothing when it continues. */
export async function stoppedWatcher(on: RolloutCluster): Promise<StoppedFindings> {
  const { id, end } = await begun(on, 'load');
  const watcher = await on.watcherOf(id);
  const before = await on.row(id);
  const made = (await on.actions(id)).length;
  const stoppedAt = performance.now();
  process.kill(watcher.process.pid, 'SIGSTOP');
  try {
    const other = on.cluster.servers.filter((each) => each !== watcher);
    await eventually(
      'the other server takes it',
      async () => (await on.row(id)).lease_term > before.lease_term || undefined,
    );
    const takenOverMs = Math.round(performance.now() - stoppedAt);
    await eventually('it goes on', async () => (await on.actions(id)).length > made || undefined);
    await onlyAt(on, other, () => on.control(id, 'pause'));
    await eventually('nothing is under way', async () => (await everything(on, id)).open === 0 || undefined);
    const standing = await everything(on, id);
    process.kill(watcher.process.pid, 'SIGCONT');
    await delay(QUIET_MS);
    const after = await everything(on, id);
    await on.control(id, 'resume');
    const found = await end();
    const { lease_term: term } = await on.row(id);
    const words = [
      ...(after.text === standing.text
        ? []
        : [`the watcher that was stopped changed ${standing.text} to ${after.text}`]),
      ...(term === before.lease_term + 1 ? [] : [`the lease is of term ${term}, not ${before.lease_term + 1}`]),
    ];
    const problems = [...found.problems, ...words.map(wrong)];
    return { ...found, takenOverMs, madeMeanwhile: standing.actions - made, problems };
  } finally {
    process.kill(watcher.process.pid, 'SIGCONT');
  }
}

function wrong(words: string): Problem {
  return { kind: 'wrong', words };
}

/** Rows of a rollout that stands still. */
async function everything(on: RolloutCluster, id: string): Promise<{ text: string; actions: number; open: number }> {
  const { version, lease_term: term, lease_owner: owner, state } = await on.row(id);
  const actions = await on.actions(id);
  const [targets] = await on.cluster.rows<{ hash: string }>(
    `SELECT md5(string_agg(t::text, '' ORDER BY position)) AS hash FROM rollout_target t WHERE rollout_id = $1`,
    [id],
  );
  const text = JSON.stringify({ version, term, owner, state, actions: actions.length, targets: targets?.hash });
  const [open] = await on.cluster.rows<{ count: number }>(
    `SELECT count(*)::int FROM rollout_target WHERE rollout_id = $1 AND state = 'dispatched'`,
    [id],
  );
  return { text, actions: actions.length, open: open?.count ?? 0 };
}

/** Asked of these servers alone: one that is stopped takes a request and says nothing. */
async function onlyAt(on: RolloutCluster, servers: RolloutCluster['cluster']['servers'], ask: () => Promise<unknown>) {
  const all = on.cluster.servers.splice(0);
  on.cluster.servers.push(...servers);
  try {
    await ask();
  } finally {
    on.cluster.servers.splice(0);
    on.cluster.servers.push(...all);
  }
}

/** PostgreSQL is stopped in the middle of a rollout. */
export async function databaseAway(on: RolloutCluster, ms: number): Promise<FaultFindings> {
  const { end } = await begun(on, 'unload');
  await on.cluster.databaseAway(ms);
  return end();
}

export interface StopFindings extends FaultFindings {
  /** How long after the answer the last action was sent, ms; 0: none was. */
  readonly pauseLateMs: number;
  readonly freezeLateMs: number;
}

/** A pause and a freeze: what is sent after the answer. */
export async function pausedAndFrozen(on: RolloutCluster): Promise<StopFindings> {
  const { id, end } = await begun(on, 'load');
  await on.control(id, 'pause');
  const pauseLateMs = await lateAfter(on, id);
  await on.control(id, 'resume');
  const reached = on.hosts.arrivals;
  await eventually('it goes on', () => on.hosts.arrivals > reached || undefined);
  await on.ask('POST', '/api/v1/freeze', { reason: 'a drill' });
  const freezeLateMs = await lateAfter(on, id);
  await on.ask('POST', '/api/v1/thaw', {});
  const found = await end();
  const late = Math.max(pauseLateMs, freezeLateMs);
  const problems = late > STOPPED_MS ? [...found.problems, wrong(`sent ${late} ms after the answer`)] : found.problems;
  return { ...found, pauseLateMs, freezeLateMs, problems };
}

async function lateAfter(on: RolloutCluster, id: string): Promise<number> {
  const [now] = await on.cluster.rows<{ now: Date }>('SELECT clock_timestamp() AS now');
  const answeredAt = now?.now.getTime() ?? 0;
  await delay(QUIET_MS);
  const sent = (await on.actions(id)).flatMap(({ dispatchedAt }) => dispatchedAt ?? []);
  return Math.max(0, Math.max(...sent) - answeredAt);
}

export interface LossyFindings extends FaultFindings {
  /** Hosts that heard nothing from their server for a while, although it heard them. */
  readonly deaf: number;
  /** Requests that reached a host's engine, those that were said again included. */
  readonly arrivals: number;
}

/** Half of the hosts come back over connections on which they hear nothing: requests and acknowledgements are lost. Then they connect again. */
export async function answersLost(on: RolloutCluster, ms: number): Promise<LossyFindings> {
  const { end } = await begun(on, 'unload');
  const some = on.hosts.hosts.filter((_, number) => number % 2 === 0);
  on.line.loseAnswers(true);
  for (const host of some) host.reconnect();
  await delay(ms);
  on.line.loseAnswers(false);
  for (const host of some) host.reconnect();
  const found = await end();
  return { ...found, deaf: some.length, arrivals: on.hosts.arrivals };
}
