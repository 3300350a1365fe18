import { expect, it } from 'vitest';
import { type ActionSeen, judgeRollout, type Problem, type RolloutSeen } from './rollout-judge.ts';

const action = (host: string, change: Partial<ActionSeen> = {}): ActionSeen => ({
  id: `of ${host}`,
  host,
  role: 'forward',
  state: 'ended',
  outcome: 'succeeded',
  resolved: null,
  dispatchedAt: 0,
  endedAt: 10,
  expiresAt: 120_000,
  ...change,
});
const target = {
  state: 'ended',
  outcome: 'succeeded',
  code: '',
  endedAt: 10,
  attempts: 1,
  undoAttempts: 0,
  undoActionId: null,
};
const good: RolloutSeen = {
  verb: 'load',
  hosts: ['a', 'b'],
  concurrency: 1,
  deadline: 100_000,
  wentOn: true,
  mayFail: 0,
  mayHang: 0,
  settled: false,
  resumedAt: null,
  targets: [
    { ...target, host: 'a', actionId: 'of a' },
    { ...target, host: 'b', actionId: 'of b' },
  ],
  actions: [action('a'), action('b', { dispatchedAt: 10, endedAt: 20 })],
  ran: [
    { host: 'a', of: 'init', end: 'returned' },
    { host: 'b', of: 'init', end: 'returned' },
  ],
  counted: { succeeded: 2 },
  countedInWaves: { succeeded: 2 },
  listed: { succeeded: 2 },
};
const withActions = (...actions: ActionSeen[]): RolloutSeen => ({ ...good, actions });
/** An unload of one host whose exit routine hung. */
const hung: RolloutSeen = {
  ...good,
  verb: 'unload',
  hosts: ['a'],
  targets: [{ ...target, host: 'a', actionId: 'of a', outcome: 'stuck' }],
  actions: [action('a', { outcome: 'stuck' })],
  ran: [{ host: 'a', of: 'exit', end: 'hung' }],
  counted: { stuck: 1 },
  countedInWaves: { stuck: 1 },
  listed: { stuck: 1 },
};

it('finds nothing wrong with a rollout that went as it has to', () => {
  expect(judgeRollout(good)).toEqual([]);
});

it('finds nothing wrong with a routine that hung, and returned late', () => {
  expect(judgeRollout(hung)).toEqual([]);
  const succeeded = { counted: { succeeded: 1 }, countedInWaves: { succeeded: 1 }, listed: { succeeded: 1 } };
  const actions = [action('a', { outcome: 'stuck', resolved: 'succeeded' })];
  const targets = hung.targets.map((one) => ({ ...one, outcome: 'succeeded' }));
  expect(judgeRollout({ ...hung, ...succeeded, actions, targets, settled: true })).toEqual([]);
});

it('finds nothing wrong with a kmod in use that nobody waits for, since the rollout was aborted', () => {
  const targets = good.targets.map((one) => ({ ...one, outcome: 'refused', code: 'in_use' }));
  const refused = { counted: { refused: 2 }, countedInWaves: { refused: 2 }, listed: { refused: 2 } };
  const actions = good.actions.map((one) => ({ ...one, outcome: 'refused' as const }));
  expect(judgeRollout({ ...good, ...refused, targets, actions, ran: [], wentOn: false })).toEqual([]);
});

it('finds nothing wrong with what nobody had heard of in time, and was told late', () => {
  const told = action('a', { outcome: 'unconfirmed', resolved: 'succeeded' });
  expect(judgeRollout(withActions(told, ...good.actions.slice(1)))).toEqual([]);
});

it.each<[string, Problem['kind'], RolloutSeen]>([
  ['a host that is no target', 'lost', { ...good, hosts: ['a', 'b', 'c'] }],
  [
    'a target without an outcome',
    'open',
    { ...good, targets: [{ ...target, host: 'a', actionId: 'of a', outcome: null }] },
  ],
  ['an accepted action that is gone', 'lost', withActions(action('a'))],
  [
    'an action more than was tried',
    'twice',
    withActions(...good.actions, action('b', { id: 'again', dispatchedAt: 20, endedAt: 21 })),
  ],
  ['an action that is open', 'open', withActions(action('a', { state: 'started', endedAt: null }), action('b'))],
  ['one that was open too long', 'open', withActions(action('a', { dispatchedAt: 20, endedAt: 300_000 }), action('b'))],
  ['an effect that came twice', 'twice', { ...good, ran: [...good.ran, { host: 'a', of: 'init', end: 'returned' }] }],
  ['a success that was none', 'lost', { ...good, ran: good.ran.slice(1) }],
  ['too many at once', 'wrong', withActions(action('a'), action('b', { dispatchedAt: 9, endedAt: 20 }))],
  ['counts that are not those of the list', 'wrong', { ...good, listed: { succeeded: 1 } }],
  [
    'what was sent after the budget was exceeded, more than may be under way',
    'wrong',
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
        { host: 'a', of: 'init', end: 'failed' },
        { host: 'b', of: 'init', end: 'returned' },
        { host: 'c', of: 'init', end: 'returned' },
      ],
    },
  ],
  [
    'a host that was not waited for',
    'wrong',
    { ...good, targets: good.targets.map((one) => ({ ...one, outcome: 'refused', code: 'in_use' })) },
  ],
  ['a routine that hung and was called failed', 'lost', { ...hung, actions: [action('a', { outcome: 'failed' })] }],
  ['a routine that hung, twice', 'twice', { ...hung, ran: [...hung.ran, ...hung.ran] }],
  ['one that returned late, of which nobody told', 'lost', { ...hung, settled: true }],
  [
    'what nobody has heard of, although all could be asked',
    'lost',
    { ...withActions(action('a'), action('b', { outcome: 'unconfirmed' })), settled: true },
  ],
])('sees %s', (_what, kind, seen) => {
  expect(judgeRollout(seen).map((problem) => problem.kind)).toContain(kind);
});
