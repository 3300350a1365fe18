import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { type Mutation, mutateJournals } from './journal-mutations.ts';
import { type RunCounts, simulate } from './simulation.ts';

/** A few of what `npm run proof -- once` and `npm run proof -- journal` do many times. */
const seed = Number(process.env['MODFLEET_SEED'] ?? randomInt(2 ** 31 - 1));
const runs = Number(process.env['MODFLEET_RUNS'] ?? 300);
const again = `seed ${seed}; the same again: MODFLEET_SEED=${seed}`;

it('does what was asked at most once, and says what it did, whatever happens in between', async () => {
  console.info(`simulation of server and host, ${again}`);
  const done: RunCounts[] = [];
  await simulate({ seed, runs, onRun: (counts) => done.push(counts) });
  expect(done.length).toBeGreaterThanOrEqual(runs);
  // A simulation in which nothing happens proves nothing.
  expect(done.reduce((sum, one) => sum + one.effects, 0)).toBeGreaterThan(runs / 2);
  const words = new Set(done.flatMap((one) => one.outcomes));
  for (const word of ['succeeded', 'refused', 'expired', 'unchanged']) expect(words, again).toContain(word);
}, 600_000);

it('does nothing wrong after the last record of the journal was cut, zeroed or flipped, and says so', async () => {
  console.info(`mutations of the journal, ${again}`);
  const done: Mutation[] = [];
  await mutateJournals({ seed, runs: Math.min(runs, 60), onMutation: (mutation) => done.push(mutation) });
  expect(new Set(done.map((one) => one.how)).size, again).toBe(3);
}, 600_000);
