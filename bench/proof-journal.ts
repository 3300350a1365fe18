import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { measuredWhere, writeResult } from '../scripts/lib/measured.ts';
import { type Mutation, mutateJournals } from '../tests/once/journal-mutations.ts';
import { whole } from './whole.ts';

/** `npm run proof -- journal`: the last record of the journal cut, zeroed, flipped. */
export async function proveJournal(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string', default: '1000' },
      seed: { type: 'string', default: String(randomInt(2 ** 31 - 1)) },
    },
  });
  const runs = whole('--runs', values.runs);
  const seed = whole('--seed', values.seed);
  const where = await measuredWhere();
  console.log(
    `seed ${seed}, ${runs} mutations; the same again: npm run proof -- journal --seed ${seed} --runs ${runs}`,
  );
  const done: Mutation[] = [];
  let wrong: string | undefined;
  try {
    await mutateJournals({ seed, runs, onMutation: (mutation) => done.push(mutation) });
  } catch (error) {
    wrong = error instanceof Error ? `${error.message}\n${String(error.cause)}` : String(error);
    console.log(wrong);
  }
  const mutations: Record<string, number> = {};
  const reports: Record<string, number> = {};
  for (const { how, record, reported } of done) {
    mutations[`${record} ${how}`] = (mutations[`${record} ${how}`] ?? 0) + 1;
    const words = reported.replace(/ at line \d+/, '');
    reports[words] = (reports[words] ?? 0) + 1;
  }
  const file = writeResult('proof-journal', {
    ...where,
    seed,
    wanted: runs,
    mutations: done.length,
    byRecord: mutations,
    reports,
    wrong: wrong ?? null,
  });
  console.log(
    Object.entries(mutations)
      .map(([what, count]) => `${String(count).padStart(5)}  ${what}`)
      .sort()
      .join('\n'),
  );
  console.log(
    `${done.length} mutations, ${wrong === undefined ? 'no wrong action, no failed start, each reported' : 'one went wrong'}; ${file}`,
  );
  return wrong === undefined && done.length >= runs ? 0 : 1;
}
