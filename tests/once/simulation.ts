import type { VerbWord } from '@modfleet/proto';
import fc from 'fast-check';
import type { StepKind } from '../../agent/src/actions/findings/facts.ts';
import { anyOperation, type Operation } from './operations.ts';
import { World } from './world.ts';

/** What is to be run. */
export interface SimulationOptions {
  readonly seed: number;
  readonly runs: number;
  /** fast-check's path to one counterexample, as it printed it. */
  readonly path?: string;
  readonly onRun?: (counts: RunCounts) => void;
}

/** What one run came to. */
export interface RunCounts {
  readonly operations: number;
  readonly actions: number;
  readonly effects: number;
  readonly outcomes: readonly string[];
}

/** Runs many worlds; throws at the first whose invariants do not hold, with the smallest sequence that shows it, seed and path. */
export async function simulate({ seed, runs, path, onRun }: SimulationOptions): Promise<void> {
  const sequence = fc
    .boolean()
    .chain((steps) => fc.array(anyOperation(steps), { minLength: 10, maxLength: 60, size: 'max' }));
  await fc.assert(
    fc.asyncProperty(sequence, async (operations) => {
      const { world, faults } = await runOnce(operations);
      if (faults.length > 0) throw new Error(faults.join('\n'));
      onRun?.({
        operations: operations.length,
        actions: world.tables.rows.size,
        effects: world.machine.kernel.effects.length,
        outcomes: [...world.tables.rows.values()].map((row) => row.words.join('+')),
      });
    }),
    { seed, numRuns: runs, ...(path === undefined ? {} : { path }) },
  );
}

/** One world from its beginning to the time when nothing may be open any more. */
async function runOnce(operations: readonly Operation[]): Promise<{ world: World; faults: readonly string[] }> {
  const world = await World.begin();
  const now = Date.now;
  // Nothing of the host may follow its wall clock.
  Date.now = () => world.hostWallClockMs;
  try {
    for (const operation of operations) {
      await world.apply(operation);
      if (world.faults.length > 0) return { world, faults: world.faults };
    }
    await world.heal();
    return { world, faults: [...world.faults, ...atTheEnd(world)] };
  } finally {
    Date.now = now;
  }
}

/** Steps of which a verb that has succeeded has done at least one: of several, some may have been so already. */
const DOES = {
  load: ['modprobe'],
  unload: ['rmmod'],
  reload: ['modprobe'],
  ensure_loaded: ['modprobe', 'persist'],
  ensure_unloaded: ['rmmod', 'unpersist'],
  set_parameters: ['set_parameters'],
  restore: [],
} as const satisfies Record<VerbWord, readonly StepKind[]>;

/** What must hold when all is well again. */
function atTheEnd(world: World): string[] {
  const { effects } = world.machine.kernel;
  const open = [...world.tables.rows.values()].filter((row) => row.state !== 'ended');
  const untrue = [...world.tables.rows.values()].filter((row) => {
    const { verb, kmod, dryRun } = row.request;
    if (row.words.at(-1) !== 'succeeded' || dryRun) return false;
    return !DOES[verb].some((step) => effects.includes(`${row.id} ${step} ${kmod}`));
  });
  const unsaid = world.machine.agent?.engine.unacknowledged() ?? [];
  return [
    ...open.map((row) => `${row.id} is ${row.state} for ever`),
    ...untrue.map((row) => `${row.id} has succeeded, and did nothing`),
    ...unsaid.map((result) => `the result of ${result.actionId} was never taken`),
  ];
}
