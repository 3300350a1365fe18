import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { checkPrerequisites, KERNEL_SERIES } from '../lab/src/lab.ts';
import { measuredWhere, writeResult } from '../scripts/lib/measured.ts';
import { ScriptError } from '../scripts/lib/program.ts';
import { type PointRound, pointRounds } from '../tests/e2e/support/kill-points.ts';
import { type KillRound, killRounds } from '../tests/e2e/support/kill-rounds.ts';
import { LabFleet } from '../tests/e2e/support/lab-fleet.ts';
import { whole } from './whole.ts';

const HOST = 'kills';
const ROUNDS = 200;

/**
 * `npm run proof -- kills`: the full count of what tests/e2e/lab/faults.e2e.ts does a few times. Half of the rounds kill the agent at the points
 * that an action passes, before and after each record and step; the other half kill agent and server at random moments.
 */
export async function proveKills(args: readonly string[]): Promise<number> {
  const { rounds, minutes, seed, series } = settings(args);
  const needs = await checkPrerequisites(['fast']);
  if (!needs.ok) throw new ScriptError(needs.hint);
  const where = await measuredWhere();
  console.log(`seed ${seed}, ${rounds} rounds on a ${series} kernel, at most ${minutes} minutes`);
  const lab = await LabFleet.start([{ name: HOST, kind: 'fast', series }]);
  const end = Date.now() + minutes * 60_000;
  const enough = (): boolean => Date.now() > end;
  const points: PointRound[] = [];
  const random: KillRound[] = [];
  let broke: string | undefined;
  try {
    const atPoints = Math.ceil(rounds / 2);
    const onPoint = (one: PointRound): void => {
      points.push(one);
      showPoint(one);
    };
    const onRandom = (one: KillRound): void => {
      random.push(one);
      show(one);
    };
    await pointRounds({ lab, host: HOST, seed, rounds: atPoints, onRound: onPoint, enough });
    await killRounds({ lab, host: HOST, seed, rounds: rounds - atPoints, onRound: onRandom, enough });
  } catch (error) {
    broke = error instanceof Error ? error.message : String(error);
    console.log(`the harness broke off: ${broke}`);
  } finally {
    await lab.stop();
  }
  const status = report(points, random, { ...where, seed, series, wanted: rounds, broke: broke ?? null });
  return broke === undefined ? status : 1;
}

function settings(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: String(ROUNDS) },
      minutes: { type: 'string', default: '120' },
      seed: { type: 'string', default: String(randomInt(1_000_000)) },
      series: { type: 'string', default: '6.1' },
    },
  });
  const series = KERNEL_SERIES.find((one) => one === values.series);
  if (series === undefined)
    throw new ScriptError(`no kernel series "${values.series}": ${KERNEL_SERIES.join(' or ')}.`);
  return {
    series,
    rounds: whole('--rounds', values.rounds),
    minutes: whole('--minutes', values.minutes),
    seed: whole('--seed', values.seed),
  };
}

function show(one: KillRound): void {
  const what = `${String(one.round).padStart(4)}  ${one.victim.padEnd(7)}${one.verb.padEnd(7)}`;
  const when = `killed after ${String(one.killedAfterMs).padStart(5)} ms (${one.stateAtKill})`;
  const verdict = one.problems.length === 0 ? 'agrees' : `WRONG: ${one.problems.join('; ')}`;
  console.log(
    `${what}${when.padEnd(38)}${(one.outcome ?? '-').padEnd(12)}${one.loaded ? 'loaded' : 'absent'}  ${verdict}`,
  );
}

function showPoint(one: PointRound): void {
  const what = `${String(one.round).padStart(4)}  ${one.victim.padEnd(9)}${one.verb.padEnd(7)}`;
  const when = `killed ${one.point} (${one.stateAtKill})`;
  const verdict = one.problems.length === 0 ? 'agrees' : `WRONG: ${one.problems.join('; ')}`;
  const loaded = one.loaded ? 'loaded' : 'absent';
  console.log(`${what}${when.padEnd(38)}${(one.outcome ?? '-').padEnd(12)}${loaded}  ${verdict}`);
}

/** Counts by case and outcome, and every round that does not hold in full. */
function report(points: readonly PointRound[], random: readonly KillRound[], where: object): number {
  const wrong = [...points, ...random].filter((one) => one.problems.length > 0);
  const moments: Record<string, number> = {};
  for (const { stateAtKill } of random) moments[stateAtKill] = (moments[stateAtKill] ?? 0) + 1;
  const rounds = points.length + random.length;
  const file = writeResult('proof-kills', {
    ...where,
    rounds,
    agree: rounds - wrong.length,
    atPoints: counted(points, ({ point, verb }) => `killed ${point} of a ${verb}`),
    atRandom: counted(random, ({ victim, verb }) => `${victim} killed during ${verb}`),
    stateAtKill: moments,
    wrong,
  });
  console.log(`${rounds} rounds, ${wrong.length} wrong; ${file}`);
  return wrong.length === 0 && rounds > 0 ? 0 : 1;
}

/** How often each outcome came, by case. */
function counted<T extends { readonly outcome: string | null }>(rounds: readonly T[], caseOf: (one: T) => string) {
  const counts: Record<string, Record<string, number>> = {};
  for (const one of rounds) {
    const of = (counts[caseOf(one)] ??= {});
    of[one.outcome ?? 'none'] = (of[one.outcome ?? 'none'] ?? 0) + 1;
  }
  return counts;
}
