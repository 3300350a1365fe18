import type { LabHost } from '../../../lab/src/lab.ts';
import { judge, type KillVerb } from './kill-judge.ts';
import { effects, KMOD, openActions, prepare } from './kill-rounds.ts';
import { type LabFleet, lsmod } from './lab-fleet.ts';
import { installPausePoints, isPaused, letGo, PAUSE_POINTS, pauseAt, type PausePoint } from './pause-points.ts';
import { seededRandom } from './seeded-random.ts';

/**
 * INVARIANTS
 * - The kill comes while the host stands at its point: nothing between the point and the kill is left to chance.
 * - A program that the agent started is let go on after the kill: it outlives its agent, as it would in life.
 * - Nothing is believed from the product alone: /proc/modules and the kernel's log are read through the harness's own door.
 */

/** Who dies: the resident process, the process that has journal and kernel, or all of the product. */
const VICTIMS = ['resident', 'helper', 'both'] as const;
type Victim = (typeof VICTIMS)[number];

/** Every case, once. */
export const POINT_CASES = PAUSE_POINTS.flatMap((point) =>
  (['load', 'unload', 'reload'] as const).flatMap((verb) => VICTIMS.map((victim) => ({ point, verb, victim }))),
);

/** How one round went. */
export interface PointRound {
  readonly round: number;
  readonly point: PausePoint;
  readonly verb: KillVerb;
  readonly victim: Victim;
  /** Processes that were killed. */
  readonly killed: number;
  readonly stateAtKill: string;
  readonly outcome: string | null;
  readonly loaded: boolean;
  readonly inits: number;
  readonly exits: number;
  readonly problems: readonly string[];
}

export interface PointRoundsOptions {
  readonly lab: LabFleet;
  readonly host: string;
  readonly seed: number;
  readonly rounds: number;
  readonly onRound?: (round: PointRound) => void;
  readonly enough?: () => boolean;
}

/** Takes the cases in a drawn order, each as often as the next. */
export async function pointRounds(options: PointRoundsOptions): Promise<PointRound[]> {
  const { lab, host: name, seed, rounds, onRound, enough } = options;
  const random = seededRandom(seed);
  const host = lab.host(name);
  await installPausePoints(host);
  await host.agent('restart');
  await lab.connected(name);
  const order = POINT_CASES.map((one) => ({ one, at: random() })).sort((a, b) => a.at - b.at);
  const done: PointRound[] = [];
  for (let round = 0; round < rounds && enough?.() !== true; round++) {
    const drawn = order[round % order.length]?.one;
    if (drawn === undefined) break;
    const result = await pointRound(lab, name, { ...drawn, round: round + 1 });
    onRound?.(result);
    done.push(result);
  }
  return done;
}

async function pointRound(
  lab: LabFleet,
  name: string,
  one: Pick<PointRound, 'round' | 'point' | 'verb' | 'victim'>,
): Promise<PointRound> {
  const host = lab.host(name);
  await prepare(lab, name, one.verb);
  const before = await effects(host);
  await pauseAt(host, one.point);
  let killed: number;
  let stateAtKill: string;
  const id = await lab.post(name, one.verb, KMOD, { expiresIn: 600 });
  try {
    await isPaused(host);
    stateAtKill = (await lab.action(id)).state;
    killed = await kill(host, one.victim);
  } finally {
    await letGo(host);
  }
  const action = await lab.ended(id);
  await lab.connected(name);
  const after = await effects(host);
  const seen = {
    verb: one.verb,
    state: action.state,
    outcome: action.outcome,
    loadedAfter: action.result?.loadedAfter ?? null,
    loaded: (await lsmod(host)).includes(KMOD),
    inits: after.inits - before.inits,
    exits: after.exits - before.exits,
    stillOpen: await openActions(lab, name),
  };
  const { outcome, loaded, inits, exits } = seen;
  const problems = [...judge(seen), ...(killed === 0 ? ['nobody was there to be killed'] : [])];
  return { ...one, killed, stateAtKill, outcome, loaded, inits, exits, problems };
}

/** A machine that several emulated hosts share may take this long over a command. */
const PATIENT = { timeoutMs: 180_000 };

/** Kills the victims at once, and gives how many there were. The product's processes are the only ones of Node.js on a lab host. */
async function kill(host: LabHost, victim: Victim): Promise<number> {
  const resident = await host.agentPid();
  const all = (await host.must('pidof node || true', PATIENT))
    .split(' ')
    .filter((pid) => pid !== '')
    .map(Number);
  const helpers = all.filter((pid) => pid !== resident);
  const pids = victim === 'both' ? all : victim === 'helper' && helpers.length > 0 ? helpers : [resident];
  await host.must(`kill -9 ${pids.join(' ')}`, PATIENT);
  return pids.length;
}
