import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Behaviour, GOOD, RETRY_MS, SimulatedWorld } from '../testing/simulated-world.ts';
import { budgetLines } from './budget.ts';
import { type Decision, decide } from './rollout.machine.ts';
import { effectiveOutcome, isEndedState, type RolloutModel, type RolloutOptions } from './rollout.model.ts';
import type { ControlKind } from './step-input.ts';

type Move =
  | { readonly kind: 'step' | 'deliver' | 'report' | 'look' | 'expire' | 'resolve' | 'rebuild' | 'freeze' | 'thaw' }
  | { readonly kind: 'wait'; readonly seconds: number }
  | { readonly kind: 'cut' | 'join'; readonly host: number }
  | { readonly kind: 'ask'; readonly what: ControlKind };

const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Move>({ kind: 'step' }) },
  {
    weight: 6,
    arbitrary: fc
      .constantFrom(
        'deliver' as const,
        'report' as const,
        'look' as const,
        'expire' as const,
        'resolve' as const,
        'rebuild' as const,
        'freeze' as const,
        'thaw' as const,
      )
      .map((kind) => ({ kind })),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), seconds: fc.integer({ min: 0, max: 120 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('cut' as const, 'join' as const),
      host: fc.integer({ min: 0, max: 29 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      what: fc.constantFrom<ControlKind>('pause', 'resume', 'promote', 'abort', 'roll_back', 'approve'),
    }),
  },
);

const behaviour = fc.constantFrom<Behaviour>(
  GOOD,
  GOOD,
  GOOD,
  { ...GOOD, outcome: 'unchanged', changed: false },
  { ...GOOD, healthy: false },
  { ...GOOD, outcome: 'failed', changed: false },
  { ...GOOD, outcome: 'refused', code: 'in_use', changed: false },
  { ...GOOD, outcome: 'refused', code: 'protected', changed: false },
  { ...GOOD, outcome: 'refused', code: 'drifted', changed: false },
  { ...GOOD, outcome: 'stuck', changed: null },
  { ...GOOD, outcome: 'unconfirmed', changed: null },
  { ...GOOD, outcome: 'reverted', changed: false },
);

const run = fc.record({
  sizes: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 4 }),
  options: fc.record<Partial<RolloutOptions>>({
    concurrency: fc.option(fc.integer({ min: 1, max: 6 }), { nil: null }),
    bake: fc.constantFrom(0, 30),
    onBudget: fc.constantFrom('pause', 'abort', 'roll_back'),
    offline: fc.constantFrom('wait', 'skip'),
    deadline: fc.constantFrom(120, 1_000, 100_000),
    requireApproval: fc.boolean(),
    budget: fc.constantFrom(
      { whole: {}, wave: {} },
      {
        whole: { failed: '30%', stuck: '2', unconfirmed: '100%', unhealthy: '1', drifted: '1', reverted: '1' },
        wave: {},
      },
      { whole: { failed: '100%', unreachable: '1' }, wave: { failed: '1' } },
    ),
  }),
  behaviours: fc.array(behaviour, { minLength: 32, maxLength: 32 }),
  moves: fc.array(move, { minLength: 5, maxLength: 120 }),
});

/** What must hold of each step, between the model before it and after it. */
function check(before: RolloutModel, decision: Decision, after: RolloutModel, limit: number | null): void {
  const underWay = [...after.targets.values()].filter(
    ({ state, undo }) => state === 'dispatched' || undo.state === 'dispatched',
  );
  if (limit !== null) expect(underWay.length).toBeLessThanOrEqual(limit);
  const sent = decision.effects.flatMap((effect) => (effect.kind === 'dispatch' ? [effect] : []));
  const forward = sent.filter(({ role }) => role === 'forward');
  if (forward.length > 0) {
    expect(after.rollout.state).toBe('running');
    expect(budgetLines(after).filter(({ exceeded }) => exceeded)).toEqual([]);
    for (const { hostId } of forward) expect(after.targets.get(hostId)?.wave).toBeLessThanOrEqual(after.rollout.wave);
  }
  for (const { hostId, role } of sent) if (role === 'undo') expect(after.targets.get(hostId)?.changed).toBe(true);
  for (const [id, was] of before.targets) {
    const is = after.targets.get(id);
    if (was.outcome !== null) expect(is?.outcome).toBe(was.outcome);
    if (was.resolvedOutcome !== null) expect(is?.resolvedOutcome).toBe(was.resolvedOutcome);
    if ((is?.resolvedOutcome ?? null) !== null) expect(['unconfirmed', 'stuck']).toContain(is?.outcome);
    expect((is?.state === 'ended') === (is?.outcome !== null)).toBe(true);
  }
  expect(after.targets.size).toBe(before.targets.size);
  if (after.rollout.state === 'succeeded') {
    for (const target of after.targets.values()) {
      expect(['succeeded', 'unchanged']).toContain(effectiveOutcome(target));
      if (target.changed === true) expect([target.healthSeen, target.health]).toEqual([true, []]);
    }
  }
  if (isEndedState(after.rollout.state)) {
    for (const target of after.targets.values()) expect(target.state).toBe('ended');
    expect(underWay).toEqual([]);
  }
}

function apply(world: SimulatedWorld, one: Move, limit: number | null): void {
  switch (one.kind) {
    case 'step': {
      const before = world.model;
      const decision = world.step();
      check(before, decision, world.model, limit);
      return;
    }
    case 'wait':
      world.now += one.seconds * 1000;
      return;
    case 'cut':
      world.connected.delete(`host-${one.host}`);
      return;
    case 'join':
      if (world.model.targets.has(`host-${one.host}`)) world.connected.add(`host-${one.host}`);
      return;
    case 'ask':
      world.ask(one.what);
      return;
    case 'freeze':
    case 'thaw':
      world.halted = one.kind === 'freeze';
      return;
    default:
      world[one.kind]();
  }
}

const RUNS = 300;

describe('whatever happens', () => {
  it('holds its invariants, and ends', () => {
    fc.assert(
      fc.property(run, ({ sizes, options, behaviours, moves }) => {
        const world = new SimulatedWorld(sizes, options, (hostId) => behaviours[Number(hostId.slice(5))] ?? GOOD);
        const limit = options.concurrency ?? null;
        for (const one of moves) apply(world, one, limit);
        // Nobody asks for more, all hosts come back, and time passes: everything ends.
        world.halted = false;
        for (const hostId of world.model.targets.keys()) world.connected.add(hostId);
        for (let at = 0; at < 60 && !isEndedState(world.model.rollout.state); at += 1) {
          const { state } = world.model.rollout;
          if (state === 'paused') world.ask('resume');
          if (state === 'awaiting_approval') world.ask('approve');
          const before = world.model;
          world.now += 5_000;
          world.deliver();
          world.report();
          world.look();
          check(before, world.step(), world.model, limit);
          if (at === 40) world.now += 100_000_000;
        }
        expect(isEndedState(world.model.rollout.state)).toBe(true);
        expect([...world.model.targets.values()].every(({ outcome }) => outcome !== null)).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });

  it('a watcher built anew from rows decides the same', () => {
    fc.assert(
      fc.property(run, ({ sizes, options, behaviours, moves }) => {
        const world = new SimulatedWorld(sizes, options, (hostId) => behaviours[Number(hostId.slice(5))] ?? GOOD);
        const limit = options.concurrency ?? null;
        for (const one of moves) apply(world, one, limit);
        const input = {
          now: world.now,
          controls: [],
          reports: [],
          connected: world.connected,
          halted: world.halted,
          tampered: false,
          looks: [],
          retryMs: RETRY_MS,
        };
        const here = decide(world.model, input);
        world.rebuild();
        expect(decide(world.model, input)).toEqual(here);
      }),
      { numRuns: RUNS },
    );
  });
});
