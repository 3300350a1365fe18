import type { Problem } from '../../tests/e2e/support/rollout-judge.ts';
import { type Figure, figure } from '../figures.ts';

/** What was promised of every action, as figures that have to be 0. @param note what was looked at. */
export function promises(of: string, problems: readonly Problem[], note: string): Figure[] {
  const count = (kind: Problem['kind']): number => problems.filter((problem) => problem.kind === kind).length;
  return [
    figure(`${of}: accepted actions lost`, count('lost'), '', 0, note),
    figure(`${of}: done twice`, count('twice'), '', 0, ''),
    figure(`${of}: open after expiry and 60 s`, count('open'), '', 0, ''),
    figure(`${of}: counts that are not the lists, pace, budget`, count('wrong'), '', 0, firstWords(problems)),
  ];
}

/** The same in one figure, of one rollout. */
export function allPromises(of: string, problems: readonly Problem[], note: string): Figure {
  const words = problems.length === 0 ? note : `${firstWords(problems)}; ${note}`;
  return figure(`${of}: lost, done twice, open too long or miscounted`, problems.length, '', 0, words);
}

/** How often each word came, in words. */
export function counted(words: Iterable<string>): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return inWords(Object.fromEntries(counts));
}

export function inWords(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .sort(([, one], [, other]) => other - one)
    .map(([word, count]) => `${count} ${word}`)
    .join(', ');
}

export function summed(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const counts of all) for (const [word, count] of Object.entries(counts)) sum[word] = (sum[word] ?? 0) + count;
  return sum;
}

export function verdict(problems: readonly Problem[]): string {
  return problems.length === 0
    ? 'holds'
    : `WRONG: ${problems.map(({ kind, words }) => `(${kind}) ${words}`).join('; ')}`;
}

function firstWords(problems: readonly Problem[]): string {
  return problems
    .slice(0, 3)
    .map(({ words }) => words)
    .join('; ');
}
