import { Outcome, Verb } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import type { KernelState } from './action-host.ts';
import type { StepKind } from './findings/facts.ts';
import type { OpenAction } from './ledger.ts';
import { type Aftermath, awaitedOf, settle, settleKept, wantsOf } from './recovery.ts';
import { anIntent, anOkVerdict, aRequest } from './testing/builders.ts';

const PLANS = {
  [Verb.VERB_LOAD]: anOkVerdict(['modprobe', 'dep'], ['modprobe', 'dummy']),
  [Verb.VERB_UNLOAD]: anOkVerdict(['rmmod', 'dummy']),
  [Verb.VERB_RELOAD]: anOkVerdict(['rmmod', 'dummy'], ['modprobe', 'dummy']),
};

function open(verb: keyof typeof PLANS, lastStep: number): OpenAction {
  return { intent: anIntent(aRequest({ verb }), PLANS[verb]), lastStep };
}

function seen(state: KernelState, changes: Partial<Aftermath> = {}): Aftermath {
  return {
    mayAct: true,
    sameBoot: true,
    state,
    parametersHold: true,
    holdings: [],
    awaited: undefined,
    ...changes,
  };
}

function outcome(action: OpenAction, aftermath: Aftermath): string | number {
  const settlement = settle(action, aftermath);
  return settlement.kind === 'finish' ? `finish from ${settlement.fromStep}` : settlement.ending.outcome;
}

describe('what the kernel proves after a crash', () => {
  const I = Outcome.OUTCOME_INTERRUPTED;
  const S = Outcome.OUTCOME_SUCCEEDED;
  const K = Outcome.OUTCOME_STUCK;

  it.each([
    [Verb.VERB_LOAD, 0, { absent: I, live: S, loading: K, unloading: I, unknown: I }],
    [Verb.VERB_LOAD, 1, { absent: I, live: S, loading: K, unloading: I, unknown: I }],
    [Verb.VERB_UNLOAD, 0, { absent: S, live: I, loading: I, unloading: K, unknown: I }],
    [Verb.VERB_RELOAD, 0, { absent: 'finish from 1', live: I, loading: I, unloading: K, unknown: I }],
    [Verb.VERB_RELOAD, 1, { absent: 'finish from 1', live: S, loading: K, unloading: I, unknown: I }],
  ] as const)('verb %i, step %i', (verb, step, expected) => {
    for (const state of ['absent', 'live', 'loading', 'unloading', 'unknown'] as const) {
      expect([state, outcome(open(verb, step), seen(state))]).toEqual([state, expected[state]]);
    }
  });

  it('settles a reload of what was not loaded as a load', () => {
    const request = aRequest({ verb: Verb.VERB_RELOAD });
    const only: OpenAction = { intent: anIntent(request, anOkVerdict(['modprobe', 'dummy'])), lastStep: 0 };
    expect(outcome(only, seen('absent'))).toBe(I);
    expect(outcome(only, seen('live'))).toBe(S);
  });

  it('proves nothing in another boot', () => {
    for (const state of ['absent', 'live'] as const) {
      expect(outcome(open(Verb.VERB_UNLOAD, 0), seen(state, { sameBoot: false }))).toBe(I);
      expect(outcome(open(Verb.VERB_RELOAD, 0), seen(state, { sameBoot: false }))).toBe(I);
    }
  });

  it('does not call a load done when the parameters are other ones', () => {
    expect(outcome(open(Verb.VERB_LOAD, 1), seen('live', { parametersHold: false }))).toBe(I);
    expect(outcome(open(Verb.VERB_LOAD, 1), seen('live', { parametersHold: undefined }))).toBe(S);
  });

  describe('of a plan of several kinds of steps', () => {
    const restore = (lastStep: number, ...plan: readonly (readonly [StepKind, string])[]): OpenAction => ({
      intent: anIntent(aRequest({ verb: Verb.VERB_RESTORE }), anOkVerdict(...plan)),
      lastStep,
    });

    it('wants what the last step of each kind on each kmod wants', () => {
      const { plan } = anOkVerdict(
        ['unpersist', 'a'],
        ['rmmod', 'a'],
        ['rmmod', 'b'],
        ['modprobe', 'a'],
        ['persist', 'a'],
      );
      expect(wantsOf(plan).map(({ kind, kmod }) => `${kind} ${kmod}`)).toEqual(['rmmod b', 'modprobe a', 'persist a']);
    });

    it('waits for what it has begun to unload, until it is loaded again', () => {
      const plan = [
        ['rmmod', 'b'],
        ['rmmod', 'a'],
        ['modprobe', 'a'],
        ['persist', 'a'],
      ] as const;
      const awaited = [0, 1, 2, 3].map((lastStep) => awaitedOf(restore(lastStep, ...plan)));
      expect(awaited).toEqual([undefined, 'a', 'a', undefined]);
    });

    it('unloads nothing late', () => {
      const open = restore(1, ['rmmod', 'a'], ['modprobe', 'a'], ['rmmod', 'b']);
      expect(outcome(open, seen('absent', { awaited: 'absent', holdings: ['no', 'yes'] }))).toBe(I);
    });

    it('does not take what was there before for what came again', () => {
      const open = restore(0, ['rmmod', 'a'], ['modprobe', 'a']);
      expect(outcome(open, seen('live', { awaited: 'live', holdings: ['yes'] }))).toBe(I);
      expect(outcome({ ...open, lastStep: 1 }, seen('live', { awaited: 'live', holdings: ['yes'] }))).toBe(S);
    });

    it('that was kept has succeeded where all of it is so, in the same boot', () => {
      const { intent } = restore(0, ['rmmod', 'a'], ['unpersist', 'a']);
      expect(settleKept(intent, true, 'absent', ['yes', 'yes']).outcome).toBe(S);
      expect(settleKept(intent, true, 'absent', ['yes', 'no']).outcome).toBe(I);
      expect(settleKept(intent, false, 'absent', ['yes', 'yes']).outcome).toBe(I);
    });
  });

  it('finishes nothing on a damaged journal', () => {
    expect(outcome(open(Verb.VERB_RELOAD, 0), seen('absent', { mayAct: false }))).toBe(I);
  });
});
