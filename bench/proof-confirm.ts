import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { checkPrerequisites, HOST_NETWORKS, KERNEL_SERIES } from '../lab/src/lab.ts';
import { median, type MeasuredWhere, measuredWhere, resultFile, writeResult } from '../scripts/lib/measured.ts';
import { ScriptError } from '../scripts/lib/program.ts';
import { CONFIRM_CASES, type ConfirmRound, confirmRound } from '../tests/e2e/support/confirm-rounds.ts';
import { proxiedFleet } from '../tests/e2e/support/proxied-fleet.ts';
import { whole } from './whole.ts';

const ROUNDS = 50;
/** The shortest window there is: what is back in time with it is in time with any. */
const WINDOW_S = 30;
/** What the issue asks for: back within the window and this. */
const BACK_WITHIN_MS = 30_000;

/** Rounds that one start of the proof has done. Hours of them are gathered in several starts, side by side too. */
interface ConfirmRun extends MeasuredWhere {
  readonly series: string;
  /** What broke it off, if anything did. */
  readonly broke: string | null;
  readonly rounds: readonly ProvenRound[];
}

interface ProvenRound extends ConfirmRound {
  /** Share of its processors' time that the machine wanted and did not get, from /proc/stat (proc_stat(5)): emulated hosts are slower by that. */
  readonly stolen: number;
}

/**
 * `npm run proof -- confirm`: every case of tests/e2e/lab/full-hosts.e2e.ts, many times, on every kind of network. Rounds are kept as they end, beside
 * those of earlier runs unless --fresh is given.
 */
export async function proveConfirm(args: readonly string[]): Promise<number> {
  const { rounds, minutes, cases, networks, series, fresh } = settings(args);
  const needs = await checkPrerequisites(['full']);
  if (!needs.ok) throw new ScriptError(needs.hint);
  const where = await measuredWhere();
  const hosts = networks.map((network) => `confirm-${network}`);
  const fleet = await proxiedFleet(
    networks.map((network, at) => ({ name: hosts[at] ?? '', kind: 'full', series, boot: { network } })),
  );
  const end = Date.now() + minutes * 60_000;
  const done: ProvenRound[] = [];
  let broke: string | null = null;
  const keep = (): string => keepRun({ ...where, series, broke, rounds: done }, fresh);
  try {
    for (let round = 1; round <= rounds && Date.now() < end; round++) {
      for (const kind of cases) {
        if (Date.now() > end) break;
        const world = { ...fleet, windowSeconds: WINDOW_S, backWithinMs: BACK_WITHIN_MS };
        const stolen = stolenShare();
        const results = await confirmRound(world, kind, hosts);
        const kept = results.map((one) => ({ ...one, stolen: stolen() }));
        for (const one of kept) show(round, one);
        done.push(...kept);
        keep();
      }
    }
  } catch (error) {
    broke = error instanceof Error ? error.message : String(error);
    console.log(`the harness broke off: ${broke}`);
  } finally {
    await fleet.stop();
  }
  console.table(tableOf(done));
  const { wrong, late } = countsOf(done);
  console.log(`${done.length} rounds, ${wrong} wrong, ${late} late; ${keep()}`);
  return broke === null && wrong + late === 0 && done.length > 0 ? 0 : 1;
}

function settings(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: String(ROUNDS) },
      minutes: { type: 'string', default: '600' },
      case: { type: 'string', multiple: true, default: [...CONFIRM_CASES] },
      series: { type: 'string', default: '6.1' },
      network: { type: 'string', multiple: true, default: [...HOST_NETWORKS] },
      fresh: { type: 'boolean', default: false },
    },
  });
  return {
    fresh: values.fresh,
    rounds: whole('--rounds', values.rounds),
    minutes: whole('--minutes', values.minutes),
    cases: values.case.map((word) => known('case', CONFIRM_CASES, word)),
    series: known('kernel series', KERNEL_SERIES, values.series),
    networks: values.network.map((word) => known('network', HOST_NETWORKS, word)),
  };
}

function known<T extends string>(what: string, all: readonly T[], word: string): T {
  const found = all.find((one) => one === word);
  if (found === undefined) throw new ScriptError(`no ${what} "${word}": ${all.join(', ')}.`);
  return found;
}

/** The share from here to the call of what it gives. */
function stolenShare(): () => number {
  const times = (): { steal: number; all: number } => {
    const fields = readFileSync('/proc/stat', 'utf8').split('\n')[0]?.trim().split(/\s+/).slice(1, 9).map(Number) ?? [];
    return { steal: fields[7] ?? 0, all: fields.reduce((sum, one) => sum + one, 0) };
  };
  const before = times();
  return () => {
    const now = times();
    return Math.round(((now.steal - before.steal) / Math.max(1, now.all - before.all)) * 100) / 100;
  };
}

function show(round: number, one: ProvenRound): void {
  const verdict =
    one.problems.length > 0 ? `WRONG: ${one.problems.join('; ')}` : one.late ? 'agrees, but LATE' : 'agrees';
  const back = `back after ${(one.backMs / 1000).toFixed(1)} s`;
  console.log(
    `${String(round).padStart(4)}  ${one.case.padEnd(14)}${one.host.padEnd(20)}${back.padEnd(20)}${Math.round(one.stolen * 100)} % stolen  ${verdict}`,
  );
}

/** Puts a run's rounds into bench/results/proof-confirm.json, and the table of all that are there. Gives the file's path. */
function keepRun(run: ConfirmRun, fresh: boolean): string {
  const file = resultFile('proof-confirm');
  const former = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { runs: ConfirmRun[] }).runs : [];
  const others = former.filter((one) => one.date !== run.date && !(fresh && one.date < run.date));
  const runs = [...others, run];
  const all = runs.flatMap(({ rounds }) => rounds);
  return writeResult('proof-confirm', {
    asked: `${ROUNDS} rounds of each case, back within the window and ${BACK_WITHIN_MS / 1000} s`,
    rounds: all.length,
    ...countsOf(all),
    /** Starts that broke off: a round of each is not among these, and did not end well. */
    brokenOff: runs.filter((one) => one.broke !== null).length,
    table: tableOf(all),
    runs,
  });
}

const countsOf = (rounds: readonly ConfirmRound[]): { wrong: number; late: number } => ({
  wrong: rounds.filter((one) => one.problems.length > 0).length,
  late: rounds.filter((one) => one.late).length,
});

/** Counts by case and by case and host, and how long the way back took. */
function tableOf(rounds: readonly ProvenRound[]): object[] {
  const keys = (one: ProvenRound): string[] => [one.case, `${one.case} ${one.host}`];
  return [...new Set(rounds.flatMap(keys))].sort().map((key) => {
    const of = rounds.filter((one) => keys(one).includes(key));
    const backMs = of.map((one) => one.backMs);
    return {
      what: key,
      rounds: of.length,
      ...countsOf(of),
      medianBackMs: median(backMs),
      longestBackMs: Math.max(...backMs),
      medianStolen: median(of.map((one) => one.stolen)),
    };
  });
}
