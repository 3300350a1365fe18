import { describe, expect, it } from 'vitest';
import { reachedBy } from './revert-command.ts';
import { EARLY_MS, type MoveFrame, moveOf } from './revert-move.ts';
import { aPlan, aReport } from './testing/builders.ts';

const PLAN = aPlan({ rebootToRecover: true, server: { host: 'modfleet.example.com', port: 7783 } });
const REPORT = aReport({ waitsForServer: true });
const NOT_OPEN = { kind: 'end', end: 'not_open' };

const frame = (changes: Partial<MoveFrame> = {}): MoveFrame => ({
  actionId: 'a1',
  by: 'timer',
  nowMs: 30_000,
  bootId: 'boot-1',
  ...changes,
});

describe('a revert', () => {
  const pending = { kind: 'pending', plan: PLAN } as const;
  const reverting = { kind: 'reverting', plan: PLAN } as const;

  it('of a timer is due at the deadline of its own action’s window', () => {
    expect(moveOf(pending, frame())).toEqual({ kind: 'put_back', plan: PLAN, isClaimed: false });
    expect(moveOf(pending, frame({ nowMs: 30_000 - EARLY_MS }))).toMatchObject({ kind: 'put_back' });
    const early = frame({ nowMs: 30_000 - EARLY_MS - 1 });
    expect(moveOf(pending, early)).toEqual({ kind: 'look_again', reason: 'not_due' });
    // An agent from before actions were named arms its timer without one.
    expect(moveOf(pending, { ...early, actionId: undefined })).toEqual({ kind: 'look_again', reason: 'not_due' });
    expect(moveOf(pending, frame({ actionId: 'another' }))).toEqual(NOT_OPEN);
    expect(moveOf(reverting, frame({ actionId: 'another' }))).toEqual(NOT_OPEN);
  });

  it('of the agent, of boot, and by hand is due at once', () => {
    for (const by of ['agent', 'boot'] as const) {
      expect(moveOf(pending, frame({ by, nowMs: 0, actionId: undefined }))).toMatchObject({ kind: 'put_back' });
    }
    // The deadline of another boot means nothing.
    expect(moveOf(pending, frame({ nowMs: 0, bootId: 'boot-2' }))).toMatchObject({ kind: 'put_back' });
  });

  it('goes on where another was cut off', () => {
    expect(moveOf(reverting, frame({ nowMs: 0 }))).toEqual({ kind: 'put_back', plan: PLAN, isClaimed: true });
    const reverted = { kind: 'reverted', plan: PLAN, report: REPORT } as const;
    expect(moveOf(reverted, frame())).toEqual({ kind: 'wait_for_server', plan: PLAN });
    expect(moveOf(reverted, frame({ bootId: 'boot-2' }))).toEqual(NOT_OPEN);
    expect(moveOf(reverted, frame({ actionId: undefined }))).toEqual(NOT_OPEN);
    expect(moveOf({ ...reverted, report: { ...REPORT, waitsForServer: false } }, frame())).toEqual(NOT_OPEN);
  });

  it('looks again at what it cannot read, and ends over what it cannot understand', () => {
    const unreadable = { kind: 'unreadable', reason: 'EMFILE' } as const;
    expect(moveOf(unreadable, frame())).toEqual({ kind: 'look_again', reason: 'unreadable' });
    expect(moveOf({ kind: 'damaged', reason: '' }, frame())).toEqual({ kind: 'end', end: 'damaged' });
    expect(moveOf({ kind: 'kept', plan: PLAN }, frame())).toEqual(NOT_OPEN);
    expect(moveOf({ kind: 'none' }, frame())).toEqual(NOT_OPEN);
  });
});

it('a refusal is an answer of the server; a process that may not ask has heard no silence', () => {
  expect(reachedBy('ECONNREFUSED')).toBe('answers');
  expect(['EAFNOSUPPORT', 'EPERM', 'EMFILE'].map(reachedBy)).toEqual(['cannot_ask', 'cannot_ask', 'cannot_ask']);
  expect(['ENETUNREACH', 'ETIMEDOUT', 'EAI_AGAIN', undefined].map(reachedBy)).toEqual(Array(4).fill('silent'));
});
