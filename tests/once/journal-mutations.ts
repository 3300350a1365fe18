import fc from 'fast-check';
import { type Damage, damaged } from './damage.ts';
import type { Operation } from './operations.ts';
import { World } from './world.ts';

/** What one mutation came to. */
export interface Mutation {
  readonly how: Damage['how'];
  /** Kind of the record that was damaged. */
  readonly record: string;
  /** What the agent said of it. */
  readonly reported: string;
}

export interface MutationOptions {
  readonly seed: number;
  readonly runs: number;
  readonly onMutation?: (mutation: Mutation) => void;
}

const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const anyDamage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ how: fc.constant('cut' as const), at: share }),
  fc.record({ how: fc.constant('zeroed' as const), at: share, to: share }),
  fc.record({ how: fc.constant('flipped' as const), at: share, bit: fc.nat({ max: 7 }) }),
);
const anyWork = fc.array(
  fc.record({
    verb: fc.constantFrom('load' as const, 'unload' as const, 'reload' as const, 'ensure_loaded' as const),
    dryRun: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
  }),
  { minLength: 1, maxLength: 3 },
);

/**
 * Lets a host work, kills its agent at some point, damages the last record of the journal, starts the agent again, and has the server send
 * again whatever it does not know the end of. Throws, with seed and the smallest case, when something was done twice or without leave, when a
 * start failed, or when the damage was not reported.
 */
export async function mutateJournals({ seed, runs, onMutation }: MutationOptions): Promise<void> {
  const anyCase = fc.record({
    work: anyWork,
    points: fc.nat({ max: 60 }),
    rounds: fc.nat({ max: 8 }),
    damage: anyDamage,
  });
  await fc.assert(
    fc.asyncProperty(anyCase, async ({ work, points, rounds, damage }) => {
      const world = await World.begin();
      for (const { verb, dryRun } of work)
        await world.apply({ op: 'create', verb, kmod: 'x', dryRun, lifeMs: 300_000 });
      await world.apply({ op: 'kill_agent', points });
      const deliver: Operation = { op: 'deliver_all' };
      for (let round = 0; round < rounds; round++) await world.apply(deliver);
      const { machine } = world;
      machine.agent?.process.kill();
      const before = machine.journalBytes();
      const bytes = before && damaged(before, damage);
      fc.pre(bytes !== undefined && before !== undefined && !bytes.equals(before));
      machine.changeJournal(() => bytes ?? Buffer.alloc(0));
      await world.apply({ op: 'release' });
      if (machine.agent?.started !== true) throw new Error('the agent does not start');
      const reported = machine.agent.log.lines.find((line) => line.includes('action journal'));
      if (reported === undefined) throw new Error(`not reported: ${JSON.stringify(damage)}`);
      await world.heal();
      if (world.faults.length > 0) throw new Error(world.faults.join('\n'));
      onMutation?.({ how: damage.how, record: kindOfLast(before), reported });
    }),
    { seed, numRuns: runs },
  );
}

function kindOfLast(journal: Buffer | undefined): string {
  const kinds = [...(journal?.toString('utf8') ?? '').matchAll(/ \{"kind":"(\w+)"/g)].map((match) => match[1]);
  return kinds.findLast((kind) => kind !== 'sealed') ?? 'none';
}
