import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { measuredWhere, writeResult } from '../scripts/lib/measured.ts';
import { type RunCounts, simulate } from '../tests/once/simulation.ts';
import { whole } from './whole.ts';

/** `npm run proof -- once`: the full count of what tests/once/once.spec.ts does a few hundred times. */
export async function proveOnce(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string', default: '20000' },
      seed: { type: 'string', default: String(randomInt(2 ** 31 - 1)) },
      path: { type: 'string' },
    },
  });
  const runs = whole('--runs', values.runs);
  const seed = whole('--seed', values.seed);
  const where = await measuredWhere();
  console.log(`seed ${seed}, ${runs} worlds; the same again: npm run proof -- once --seed ${seed} --runs ${runs}`);
  const done: RunCounts[] = [];
  let wrong: string | undefined;
  try {
    await simulate({
      seed,
      runs,
      ...(values.path === undefined ? {} : { path: values.path }),
      onRun: (counts) => {
        done.push(counts);
        if (done.length % 1000 === 0) console.log(`${done.length} worlds`);
      },
    });
  } catch (error) {
    wrong = error instanceof Error ? `${error.message}\n${String(error.cause)}` : String(error);
    console.log(wrong);
  }
  const outcomes: Record<string, number> = {};
  for (const word of done.flatMap((one) => one.outcomes)) outcomes[word] = (outcomes[word] ?? 0) + 1;
  const sum = (pick: (one: RunCounts) => number): number => done.reduce((total, one) => total + pick(one), 0);
  const file = writeResult('proof-once', {
    ...where,
    seed,
    wanted: runs,
    worlds: done.length,
    operations: sum((one) => one.operations),
    actions: sum((one) => one.actions),
    effects: sum((one) => one.effects),
    outcomes: Object.fromEntries(Object.entries(outcomes).sort(([, a], [, b]) => b - a)),
    wrong: wrong ?? null,
  });
  console.log(`${done.length} worlds, ${wrong === undefined ? 'every invariant held' : 'one does not hold'}; ${file}`);
  return wrong === undefined && done.length >= runs ? 0 : 1;
}
