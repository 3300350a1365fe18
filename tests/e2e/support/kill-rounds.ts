import { setTimeout as delay } from 'node:timers/promises';
import type { LabHost } from '../../../lab/src/lab.ts';
import { judge, type KillVerb } from './kill-judge.ts';
import { type LabFleet, lsmod } from './lab-fleet.ts';
import { seededRandom } from './seeded-random.ts';
import { eventually } from './wait.ts';

/**
 * INVARIANTS
 * - A round begins with agent and server up, the kmod as its verb needs it, and nothing open.
 * - The moment of the kill is drawn from the whole life of an unharmed action of that verb, in every other round of a case only from the time
 *   in which the host works on it (from `started` on); a tenth beyond the end is included.
 * - Nothing is believed from the product alone: /proc/modules and the kernel's log on the host are read through the harness's own door.
 */

/** Says one thing at each load and one at each unload. */
export const KMOD = 'mf_hello';

/** Long enough for restarts under emulation. */
const EXPIRES_IN_S = 600;

/** The host may have touched the kernel. */
const BEGUN: ReadonlySet<string> = new Set(['started', 'ended']);

/** Every case of the proof. */
export const KILL_CASES = (['agent', 'server'] as const).flatMap((victim) =>
  (['load', 'unload', 'reload'] as const).map((verb) => ({ victim, verb })),
);
export type KillCase = (typeof KILL_CASES)[number];

/** How one round went. */
export interface KillRound extends KillCase {
  readonly round: number;
  /** From the request's answer to the kill, in ms. */
  readonly killedAfterMs: number;
  /** The action's last state before the kill, as the server told it. */
  readonly stateAtKill: string;
  readonly outcome: string | null;
  readonly loaded: boolean;
  readonly inits: number;
  readonly exits: number;
  readonly problems: readonly string[];
}

export interface KillRoundsOptions {
  readonly lab: LabFleet;
  readonly host: string;
  readonly seed: number;
  readonly rounds: number;
  readonly onRound?: (round: KillRound) => void;
  /** Asked before each round; true ends the run early. */
  readonly enough?: () => boolean;
}

/** How long an unharmed action takes, in ms: as a whole, and from `started` to its end. */
interface Life {
  readonly whole: number;
  readonly begun: number;
}

/** Kills agent and server in turn at random moments of actions, every case as often as the next. */
export async function killRounds(options: KillRoundsOptions): Promise<KillRound[]> {
  const random = seededRandom(options.seed);
  const lives = await calibrate(options.lab, options.host);
  const done: KillRound[] = [];
  for (let round = 0; round < options.rounds && options.enough?.() !== true; round++) {
    const one = KILL_CASES[round % KILL_CASES.length] ?? { victim: 'agent', verb: 'load' };
    const onceBegun = Math.floor(round / KILL_CASES.length) % 2 === 0;
    const life = lives[one.verb];
    const afterMs = random() * 1.1 * (onceBegun ? life.begun : life.whole);
    const result = await killRound(options, { ...one, round: round + 1 }, { onceBegun, afterMs });
    options.onRound?.(result);
    done.push(result);
  }
  return done;
}

/** The first action of a host still warms up: it counts for nobody. */
async function calibrate(lab: LabFleet, name: string): Promise<Record<KillVerb, Life>> {
  const life = { whole: 0, begun: 0 };
  const lives = { load: life, unload: life, reload: life };
  for (const verb of ['unload', 'load', 'reload', 'unload'] as const) {
    await prepare(lab, name, verb);
    const ended = await lab.ended(await lab.post(name, verb, KMOD, { expiresIn: EXPIRES_IN_S }));
    if (ended.outcome !== 'succeeded') throw new Error(`an unharmed ${verb} of ${KMOD} ended ${ended.outcome}`);
    const at = (state: string): number => Date.parse(ended.timeline.find((line) => line.state === state)?.at ?? '');
    lives[verb] = { whole: at('ended') - at('queued'), begun: at('ended') - at('started') };
  }
  return lives;
}

async function killRound(
  options: KillRoundsOptions,
  one: KillCase & { readonly round: number },
  moment: { readonly onceBegun: boolean; readonly afterMs: number },
): Promise<KillRound> {
  const { lab, host: name } = options;
  const host = lab.host(name);
  await prepare(lab, name, one.verb);
  const before = await effects(host);
  const agentPid = await host.agentPid();
  const id = await lab.post(name, one.verb, KMOD, { expiresIn: EXPIRES_IN_S });
  const posted = performance.now();
  if (moment.onceBegun)
    await eventually(`action ${id} began`, async () => BEGUN.has((await lab.action(id)).state) || undefined);
  await delay(moment.afterMs);
  const stateAtKill = (await lab.action(id)).state;
  const killedAfterMs = performance.now() - posted;
  if (one.victim === 'agent') {
    await host.must(`kill -9 ${agentPid}`);
  } else {
    await lab.fleet.stopServer('SIGKILL');
    await lab.fleet.startServer();
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
  return {
    ...one,
    killedAfterMs: Math.round(killedAfterMs),
    stateAtKill,
    outcome,
    loaded,
    inits,
    exits,
    problems: judge(seen),
  };
}

/** The host connected, and the kmod loaded or not, as the verb needs it. */
export async function prepare(lab: LabFleet, name: string, verb: KillVerb): Promise<void> {
  await lab.connected(name);
  await eventually('the agent has a process id', async () =>
    (await lab.host(name).agentPid()) > 0 ? true : undefined,
  );
  const loaded = (await lsmod(lab.host(name))).includes(KMOD);
  if (verb === 'load' && loaded) await lab.host(name).must(`rmmod ${KMOD}`);
  if (verb !== 'load' && !loaded) await lab.host(name).must(`modprobe ${KMOD}`);
}

/** What the kmod said so far in the kernel's log. */
export async function effects(host: LabHost): Promise<{ inits: number; exits: number }> {
  const log = (await host.must(`dmesg | grep '${KMOD}: ' || true`)).split('\n');
  return {
    inits: log.filter((line) => line.includes(`${KMOD}: hello, `)).length,
    exits: log.filter((line) => line.includes(`${KMOD}: goodbye, `)).length,
  };
}

export async function openActions(lab: LabFleet, name: string): Promise<number> {
  const page = (await lab.fleet.api('GET', `/api/v1/actions?host=${name}&limit=1000`)).body['items'] as {
    state: string;
  }[];
  return page.filter((action) => action.state !== 'ended').length;
}
