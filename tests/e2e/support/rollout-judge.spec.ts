import { expect, it } from 'vitest';
import { type ActionSeen, judgeRollout, type RolloutSeen } from './rollout-judge.ts';

const action = (host: string, change: Partial<ActionSeen> = {}): ActionSeen => ({
  id: `of ${host}`,
  host,
  role: 'forward',
  state: 'ended',
  outcome: 'succeeded',
  dispatchedAt: 0,
  endedAt: 10,
  expiresAt: 120_000,
  ...change,
});
const target = { state: 'ended', outcome: 'succeeded', attempts: 1, undoAttempts: 0, undoActionId: null };
const good: RolloutSeen = {
  verb: 'load',
  hosts: ['a', 'b'],
  concurrency: 1,
  mayFail: 0,
  resumedAt: null,
  targets: [
    { ...target, host: 'a', actionId: 'of a' },
    { ...target, host: 'b', actionId: 'of b' },
  ],
  actions: [action('a'), action('b', { dispatchedAt: 10, endedAt: 20 })],
  ran: [
    { host: 'a', of: 'init', fails: false },
    { host: 'b', of: 'init', fails: false },
  ],
  counted: { succeeded: 2 },
  countedInWaves: { succeeded: 2 },
  listed: { succeeded: 2 },
};
const withActions = (...actions: ActionSeen[]): RolloutSeen => ({ ...good, actions });

it('finds nothing wrong with a rollout that went as it has to', () => {
  expect(judgeRollout(good)).toEqual([]);
});

it.each<[string, RolloutSeen]>([
  ['a host that is no target', { ...good, hosts: ['a', 'b', 'c'] }],
  ['a target without an outcome', { ...good, targets: [{ ...target, host: 'a', actionId: 'of a', outcome: null }] }],
  ['an accepted action that is gone', withActions(action('a'))],
  [
    'an action more than was tried',
    withActions(...good.actions, action('b', { id: 'again', dispatchedAt: 20, endedAt: 21 })),
  ],
  ['an action that is open', withActions(action('a', { state: 'started', endedAt: null }), action('b'))],
  ['one that was open too long', withActions(action('a', { dispatchedAt: 20, endedAt: 300_000 }), action('b'))],
  ['an effect that came twice', { ...good, ran: [...good.ran, { host: 'a', of: 'init', fails: false }] }],
  ['a success that was none', { ...good, ran: good.ran.slice(1) }],
  ['too many at once', withActions(action('a'), action('b', { dispatchedAt: 9, endedAt: 20 }))],
  ['counts that are not those of the list', { ...good, listed: { succeeded: 1 } }],
  [
    'what was sent after the budget was exceeded, more than may be under way',
    {
      ...good,
      hosts: ['a', 'b', 'c'],
      targets: [...good.targets, { ...target, host: 'c', actionId: 'of c' }],
      counted: { succeeded: 3 },
      countedInWaves: { succeeded: 3 },
      listed: { succeeded: 3 },
      concurrency: 1,
      actions: [
        action('a', { outcome: 'failed' }),
        action('b', { dispatchedAt: 11, endedAt: 20 }),
        action('c', { dispatchedAt: 21, endedAt: 30 }),
      ],
      ran: [
        { host: 'a', of: 'init', fails: true },
        { host: 'b', of: 'init', fails: false },
        { host: 'c', of: 'init', fails: false },
      ],
    },
  ],
])('sees %s', (_what, seen) => {
  expect(judgeRollout(seen)).not.toEqual([]);
});
