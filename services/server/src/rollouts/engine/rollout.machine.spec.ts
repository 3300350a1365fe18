import { describe, expect, it } from 'vitest';
import { type Behaviour, GOOD, SimulatedWorld } from '../testing/simulated-world.ts';
import { failureOf } from './budget.ts';
import { effectiveOutcome } from './rollout.model.ts';

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
    const again = Array.from({ length: 5 }, () => world.round()).flatMap(({ effects }) =>
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
