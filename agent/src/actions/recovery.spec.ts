import { Outcome, Verb } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import type { KernelState } from './action-host.ts';
import type { OpenAction } from './ledger.ts';
import { type Aftermath, settle } from './recovery.ts';
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

  it('finishes nothing on a damaged journal', () => {
    expect(outcome(open(Verb.VERB_RELOAD, 0), seen('absent', { mayAct: false }))).toBe(I);
  });
});
