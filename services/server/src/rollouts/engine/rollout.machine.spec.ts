import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Behaviour, GOOD, SimulatedWorld } from '../testing/simulated-world.ts';
import { budgetLines, failureOf } from './budget.ts';
import { type Decision, decide } from './rollout.machine.ts';
import { effectiveOutcome, isEndedState, type RolloutModel, type RolloutOptions } from './rollout.model.ts';
import type { ControlKind } from './step-input.ts';

const failing =
  (failed: readonly number[], how: Partial<Behaviour> = {}) =>
  (hostId: string) =>
    failed.includes(Number(hostId.slice(5))) ? { ...GOOD, outcome: 'failed' as const, changed: false, ...how } : GOOD;
const outcomes = (world: SimulatedWorld): Record<string, number> =>
  Object.fromEntries(
    [...Map.groupBy(world.model.targets.values(), (target) => effectiveOutcome(target) ?? target.state)].map(
      ([outcome, targets]) => [outcome, targets.length],
    ),
  );

describe('a rollout', () => {
  it('goes through its waves, and is over when every host is as was asked for', () => {
    const world = new SimulatedWorld([1, 4, 5]);
    world.run();
    expect([world.model.rollout.state, outcomes(world)]).toEqual(['succeeded', { succeeded: 10 }]);
    expect(world.model.waves.every(({ endedAt }) => endedAt !== null)).toBe(true);
  });

  it('bakes between waves, and a promote skips the bake', () => {
    const world = new SimulatedWorld([1, 1], { bake: 600 });
    for (let at = 0; at < 10; at += 1) world.round();
    expect([world.model.rollout.wave, outcomes(world)]).toEqual([0, { succeeded: 1, pending: 1 }]);
    world.ask('promote');
    world.run();
    expect(world.model.rollout.state).toBe('succeeded');
  });

  it('pauses on its budget before the next wave, and a resume accepts what has failed and no more', () => {
    const world = new SimulatedWorld([4, 4, 4], {}, failing([0, 5]));
    world.run(20);
    expect([world.model.rollout.state, world.model.rollout.wave, outcomes(world)]).toEqual([
      'paused',
      0,
      { failed: 1, succeeded: 3, pending: 8 },
    ]);
    expect(world.model.rollout.why).toBe('over its budget: 1 failed in all, budget 0');
    world.ask('resume');
    world.run(20);
    expect([world.model.rollout.state, world.model.rollout.wave]).toEqual(['paused', 1]);
    world.ask('resume');
    world.run(20);
    expect([world.model.rollout.state, world.model.rollout.why]).toEqual([
      'failed',
      '2 of 12 hosts are not as was asked for',
    ]);
  });

  it('a budget is exceeded, not met', () => {
    const world = new SimulatedWorld([10], { budget: { whole: { failed: '20%' }, wave: {} } }, failing([0, 1]));
    world.run();
    expect([world.model.rollout.state, outcomes(world)]).toEqual(['failed', { failed: 2, succeeded: 8 }]);
  });

  it('rolls back on its budget: those that changed, the last first, and no others', () => {
    const world = new SimulatedWorld([3, 3], { onBudget: 'roll_back', concurrency: 1 }, failing([4]));
    world.run();
    expect(world.model.rollout.state).toBe('rolled_back');
    const undone = world.decisions.flatMap(({ effects }) =>
      effects.flatMap((effect) => (effect.kind === 'dispatch' && effect.role === 'undo' ? effect.hostId : [])),
    );
    expect(undone).toEqual(['host-3', 'host-2', 'host-1', 'host-0']);
    expect(outcomes(world)).toEqual({ succeeded: 4, failed: 1, not_run: 1 });
  });

  it('a second roll back takes those that the first did not put back, and no others', () => {
    const world = new SimulatedWorld([3]);
    world.run(5);
    world.undoes = (hostId) => (hostId === 'host-1' ? 'failed' : 'succeeded');
    world.ask('roll_back');
    world.round();
    world.run();
    expect([world.model.rollout.state, world.model.rollout.why]).toEqual([
      'failed',
      'roll back: 2 of 3 hosts that changed were put back',
    ]);
    world.undoes = () => 'succeeded';
    world.ask('roll_back');
    const again = [...Array.from({ length: 5 }, () => world.round())].flatMap(({ effects }) =>
      effects.flatMap((effect) => (effect.kind === 'dispatch' ? effect.hostId : [])),
    );
    expect([world.model.rollout.state, again]).toEqual(['rolled_back', ['host-1']]);
  });

  it('does not say rolled back while nobody knows of a host whether it changed', () => {
    const world = new SimulatedWorld([2], {}, failing([1], { outcome: 'interrupted', changed: null }));
    world.run(5);
    world.ask('roll_back');
    world.run();
    expect([world.model.rollout.state, world.model.rollout.why]).toEqual([
      'failed',
      'roll back: 1 of 1 hosts that changed were put back; of 1 nobody can say whether they changed',
    ]);
  });

  it('goes on without a host that is away, and waits for it until the deadline', () => {
    const world = new SimulatedWorld([2, 2], { deadline: 600 });
    world.connected.delete('host-0');
    for (let at = 0; at < 60; at += 1) world.round();
    expect([world.model.rollout.state, outcomes(world)]).toEqual(['running', { pending: 1, succeeded: 3 }]);
    world.connected.add('host-0');
    world.run();
    expect(world.model.rollout.state).toBe('succeeded');

    const late = new SimulatedWorld([2, 2], { deadline: 600 });
    late.connected.delete('host-0');
    late.run(700);
    expect([late.model.rollout.state, outcomes(late)]).toEqual(['failed', { unreachable: 1, succeeded: 3 }]);
  });

  it('passes over a host that is away when told so', () => {
    const world = new SimulatedWorld([2], { offline: 'skip' });
    world.connected.delete('host-1');
    world.run(30);
    expect([world.model.rollout.state, outcomes(world)]).toEqual(['failed', { succeeded: 1, unreachable: 1 }]);
  });

  it('asks a host whose kmod is in use again, and calls it refused at the deadline', () => {
    const refusing = failing([1], { outcome: 'refused', code: 'in_use' });
    const world = new SimulatedWorld([2], { deadline: 100 }, refusing);
    world.run(120);
    expect([world.model.rollout.state, outcomes(world)]).toEqual(['failed', { succeeded: 1, refused: 1 }]);
    expect(world.model.targets.get('host-1')?.attempts).toBe(4);
  });

  it('looks at a host that came after its wave was over, before it says how all went', () => {
    const world = new SimulatedWorld([2, 1], {}, (hostId) => ({ ...GOOD, healthy: hostId !== 'host-0' }));
    world.connected.delete('host-0');
    for (let round = 0; round < 30; round += 1) world.round();
    expect(world.model.waves.map(({ endedAt }) => endedAt !== null)).toEqual([true, true]);
    world.connected.add('host-0');
    world.run();
    expect([world.model.rollout.state, world.model.rollout.why]).toEqual([
      'paused',
      'over its budget: 1 unhealthy in all, budget 0',
    ]);
    world.ask('resume');
    world.run();
    expect(world.model.rollout.state).toBe('failed');
    expect(world.model.targets.get('host-0')?.healthSeen).toBe(true);
  });

  it('stops for hosts that are not healthy after their wave', () => {
    const world = new SimulatedWorld([2, 2], {}, (hostId) => ({ ...GOOD, healthy: hostId !== 'host-1' }));
    world.run(20);
    expect([world.model.rollout.state, world.model.rollout.why, world.model.rollout.wave]).toEqual([
      'paused',
      'over its budget: 1 unhealthy in all, budget 0',
      0,
    ]);
    world.ask('resume');
    world.run();
    expect([world.model.rollout.state, world.model.rollout.why]).toEqual([
      'failed',
      '0 of 4 hosts are not as was asked for, 1 not healthy afterwards',
    ]);
  });

  it('calls a changed host silent that does not answer after the bake', () => {
    const world = new SimulatedWorld([1, 1], { bake: 10 });
    world.round();
    world.round();
    world.connected.delete('host-0');
    for (let at = 0; at < 90; at += 1) world.round();
    expect(world.model.targets.get('host-0')?.health).toEqual([
      { what: 'silent', detail: 'it did not answer after its wave' },
    ]);
    expect(world.model.rollout.state).toBe('paused');
  });

  it('what was paused before it was sent has its turn again', () => {
    const world = new SimulatedWorld([3], { concurrency: 3 });
    world.step();
    world.ask('pause');
    world.step();
    world.step();
    expect(outcomes(world)).toEqual({ pending: 3 });
    world.ask('resume');
    world.run();
    expect([world.model.rollout.state, [...world.model.targets.values()].map(({ attempts }) => attempts)]).toEqual([
      'succeeded',
      [1, 1, 1],
    ]);
  });

  it('begins when somebody has approved it', () => {
    const world = new SimulatedWorld([1], { requireApproval: true });
    world.round();
    expect(outcomes(world)).toEqual({ pending: 1 });
    world.ask('approve');
    world.run();
    expect(world.model.rollout.state).toBe('succeeded');
  });

  it('says what cannot be asked', () => {
    const world = new SimulatedWorld([1]);
    world.ask('resume');
    world.ask('promote');
    const answers = world.step().effects.flatMap((effect) => (effect.kind === 'answer' ? effect.answer : []));
    expect(answers).toEqual([
      'the rollout is running: resume is not possible; possible: pause, promote, abort, roll back',
      'no bake is under way that could be skipped',
    ]);
  });
});

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
        };
        const here = decide(world.model, input);
        world.rebuild();
        expect(decide(world.model, input)).toEqual(here);
      }),
      { numRuns: RUNS },
    );
  });

  it('counts failures by what counts', () => {
    const world = new SimulatedWorld([3], {}, failing([0], { outcome: 'unconfirmed', changed: null }));
    world.run(5);
    const [target] = world.model.targets.values();
    expect(target === undefined ? undefined : failureOf(target)).toBe('unconfirmed');
    world.resolve();
    world.step();
    const [resolved] = world.model.targets.values();
    expect(
      resolved === undefined ? undefined : [failureOf(resolved), resolved.outcome, resolved.resolvedOutcome],
    ).toEqual([undefined, 'unconfirmed', 'succeeded']);
  });
});
