import { parseArgs } from 'node:util';
import { checkPrerequisites, HOST_NETWORKS, KERNEL_SERIES } from '../lab/src/lab.ts';
import { build } from '../scripts/lib/make.ts';
import { measuredWhere, writeResult } from '../scripts/lib/measured.ts';
import { ScriptError } from '../scripts/lib/program.ts';
import { CONFIRM_CASES, type ConfirmRound, confirmRound } from '../tests/e2e/support/confirm-rounds.ts';
import { proxiedFleet } from '../tests/e2e/support/proxied-fleet.ts';
import { whole } from './whole.ts';

const ROUNDS = 50;
const WINDOW_S = 30;
/** What the issue asks for: back within the window and this. */
const BACK_WITHIN_MS = 30_000;

/** `npm run proof -- confirm`: every case of tests/e2e/lab/apart/confirm.e2e.ts, many times, on every kind of network. */
export async function proveConfirm(args: readonly string[]): Promise<number> {
  const { rounds, minutes, cases, networks, series } = settings(args);
  const needs = await checkPrerequisites(['full']);
  if (!needs.ok) throw new ScriptError(needs.hint);
  await build();
  const where = await measuredWhere();
  const hosts = networks.map((network) => `confirm-${network}`);
  const fleet = await proxiedFleet(
    networks.map((network, at) => ({ name: hosts[at] ?? '', kind: 'full', series, boot: { network } })),
  );
  const end = Date.now() + minutes * 60_000;
  const done: ConfirmRound[] = [];
  try {
    for (let round = 1; round <= rounds && Date.now() < end; round++) {
      for (const kind of cases) {
        if (Date.now() > end) break;
        const results = await confirmRound(
          { ...fleet, windowSeconds: WINDOW_S, backWithinMs: BACK_WITHIN_MS },
          kind,
          hosts,
        );
        for (const one of results) show(round, one);
        done.push(...results);
      }
    }
  } finally {
    await fleet.stop();
  }
  return report(done, { ...where, windowSeconds: WINDOW_S, series, wanted: rounds, cases, networks });
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
    },
  });
  return {
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

function show(round: number, one: ConfirmRound): void {
  const verdict = one.problems.length === 0 ? 'agrees' : `WRONG: ${one.problems.join('; ')}`;
  const back = `back after ${(one.backMs / 1000).toFixed(1)} s`;
  console.log(`${String(round).padStart(4)}  ${one.case.padEnd(14)}${one.host.padEnd(20)}${back.padEnd(20)}${verdict}`);
}

/** Counts by case and host, the longest way back, and every round that does not hold in full. */
function report(done: readonly ConfirmRound[], frame: object): number {
  const wrong = done.filter((one) => one.problems.length > 0);
  const table = [...new Set(done.map((one) => `${one.case} ${one.host}`))].map((key) => {
    const of = done.filter((one) => `${one.case} ${one.host}` === key);
    return {
      what: key,
      rounds: of.length,
      wrong: of.filter((one) => one.problems.length > 0).length,
      longestBackMs: Math.max(...of.map((one) => one.backMs)),
    };
  });
  console.table(table);
  const file = writeResult('proof-confirm', { ...frame, rounds: done.length, table, wrong });
  console.log(`${done.length} rounds, ${wrong.length} wrong; ${file}`);
  return wrong.length === 0 && done.length > 0 ? 0 : 1;
}
