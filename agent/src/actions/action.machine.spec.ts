import { ConfirmEnd, ConfirmReport, Outcome } from '@modfleet/proto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ActionEvent, type ActionState, type StepEnd, transition } from './action.machine.ts';
import { refusalVerdict } from './findings/refusal.ts';
import { anOkVerdict } from './testing/builders.ts';

const frame = { dryRun: false, expiresAtMs: 1_000, confirmWindowSeconds: 0 };
const early = { ms: 500, errorMs: 10 };
const late = { ms: 995, errorMs: 10 };
const reload = anOkVerdict(['rmmod', 'dummy'], ['modprobe', 'dummy']);

function end(
  state: ActionState,
  event: ActionEvent,
  now: typeof early | 'unknown' = early,
  dryRun = false,
): Outcome | undefined {
  const effect = transition({ ...frame, dryRun }, state, event, now === 'unknown' ? undefined : now).effects.find(
    (one) => one.kind === 'end',
  );
  return effect?.kind === 'end' ? effect.ending.outcome : undefined;
}

const waiting: ActionState = { kind: 'waiting' };
const assessing: ActionState = { kind: 'assessing', cancelled: false };
const intending: ActionState = { kind: 'intending', cancelled: false, verdict: reload };

describe('an action on the host', () => {
  it('asks for the time at its turn, and again when the intent is on disk', () => {
    expect(end(waiting, { kind: 'turn' }, late)).toBe(Outcome.OUTCOME_EXPIRED);
    expect(end(waiting, { kind: 'turn' }, 'unknown')).toBe(Outcome.OUTCOME_REFUSED);
    expect(end(intending, { kind: 'intent_written' }, late)).toBe(Outcome.OUTCOME_EXPIRED);
    expect(end(intending, { kind: 'intent_written' }, 'unknown')).toBe(Outcome.OUTCOME_REFUSED);
  });

  it.each([
    [Outcome.OUTCOME_REFUSED, refusalVerdict('in_use', 'in use'), false],
    [Outcome.OUTCOME_UNCHANGED, anOkVerdict(), false],
    [Outcome.OUTCOME_SUCCEEDED, reload, true],
    [undefined, reload, false],
  ])('with outcome %s', (outcome, verdict, dryRun) => {
    expect(end(assessing, { kind: 'assessed', verdict }, early, dryRun)).toBe(outcome);
  });

  it('can be cancelled until its first step, and not after', () => {
    expect(end(waiting, { kind: 'cancel' })).toBe(Outcome.OUTCOME_CANCELLED);
    const assessed = transition(frame, assessing, { kind: 'cancel' }, early).next;
    expect(end(assessed, { kind: 'assessed', verdict: reload })).toBe(Outcome.OUTCOME_CANCELLED);
    const intended = transition(frame, intending, { kind: 'cancel' }, early).next;
    expect(end(intended, { kind: 'intent_written' })).toBe(Outcome.OUTCOME_CANCELLED);
    const stepping: ActionState = { kind: 'stepping', verdict: reload, index: 0 };
    expect(transition(frame, stepping, { kind: 'cancel' }, early).effects).toEqual([{ kind: 'tell_cancel_refused' }]);
  });

  it('goes on to the load half of a reload whatever the clock says', () => {
    const stepping: ActionState = { kind: 'stepping', verdict: reload, index: 0 };
    const { effects } = transition(frame, stepping, { kind: 'step_ended', end: { kind: 'done' } }, undefined);
    expect(effects).toMatchObject([{ kind: 'run_step', index: 1 }]);
  });

  it.each([
    ['expired', late],
    ['no_server_time', undefined],
  ])('asks for the time before each further step of a load: %s', (code, now) => {
    const load = anOkVerdict(['modprobe', 'base'], ['modprobe', 'dummy']);
    const stepping: ActionState = { kind: 'stepping', verdict: load, index: 0 };
    const done: ActionEvent = { kind: 'step_ended', end: { kind: 'done' } };
    expect(transition(frame, stepping, done, early).effects).toMatchObject([{ kind: 'run_step', index: 1 }]);
    expect(transition(frame, stepping, done, now).effects).toMatchObject([
      {
        kind: 'end',
        ending: { outcome: Outcome.OUTCOME_FAILED, code, message: expect.stringContaining('base is loaded') },
      },
    ]);
  });

  describe('inside a confirm window', () => {
    const framed = { ...frame, confirmWindowSeconds: 60 };
    const plan = anOkVerdict(['rmmod', 'dummy'], ['unpersist', 'dummy'], ['persist', 'other']);
    const done: ActionEvent = { kind: 'step_ended', end: { kind: 'done' } };
    const stepping = (index: number, kept: boolean): ActionState => ({ kind: 'stepping', verdict: plan, index, kept });
    const ended = (end: ConfirmEnd): ActionEvent => ({
      kind: 'window_ended',
      report: { ...ConfirmReport.create(), end, cause: 'no_server' },
    });

    it('does nothing lasting before it was kept, and all of it after, whatever the clock says', () => {
      const closing = transition(framed, stepping(0, false), done, early);
      expect(closing.effects).toEqual([{ kind: 'close_window', failed: false }]);
      const kept = transition(framed, closing.next, ended(ConfirmEnd.CONFIRM_END_KEPT), late);
      expect(kept.effects).toMatchObject([{ kind: 'run_step', index: 1 }]);
      const next = transition(framed, kept.next, done, undefined);
      expect(next.effects).toMatchObject([{ kind: 'run_step', index: 2 }]);
      expect(transition(framed, next.next, done, late).effects).toMatchObject([
        { kind: 'end', ending: { outcome: Outcome.OUTCOME_SUCCEEDED } },
      ]);
    });

    it('does nothing lasting when it was not', () => {
      const { next } = transition(framed, stepping(0, false), done, early);
      expect(transition(framed, next, ended(ConfirmEnd.CONFIRM_END_REVERTED), early).effects).toMatchObject([
        { kind: 'end', ending: { outcome: Outcome.OUTCOME_REVERTED } },
      ]);
    });

    it('waits for the confirm where all is lasting', () => {
      const lasting = anOkVerdict(['persist', 'dummy']);
      const opening: ActionState = { kind: 'opening_window', verdict: lasting };
      const { effects } = transition(framed, opening, { kind: 'window_opened' }, early);
      expect(effects).toEqual([{ kind: 'close_window', failed: false }]);
    });

    it('a file that cannot be written takes nothing back of what was kept', () => {
      const failed: ActionEvent = { kind: 'step_ended', end: { kind: 'not_written', message: 'EROFS' } };
      expect(transition(framed, stepping(1, true), failed, early).effects).toMatchObject([
        { kind: 'end', ending: { outcome: Outcome.OUTCOME_FAILED, code: 'not_written' } },
      ]);
    });
  });

  it('unloads nothing more when its time is over, and says what it has done', () => {
    const plan = anOkVerdict(['unpersist', 'dummy'], ['rmmod', 'dummy'], ['rmmod', 'base']);
    for (const [index, said] of [
      [0, 'dummy is not listed to load at boot; the rest was not tried'],
      [1, 'dummy is not listed to load at boot, dummy is unloaded; the rest was not tried'],
    ] as const) {
      const { effects } = transition(
        frame,
        { kind: 'stepping', verdict: plan, index },
        { kind: 'step_ended', end: { kind: 'done' } },
        late,
      );
      expect(effects).toMatchObject([
        { kind: 'end', ending: { outcome: Outcome.OUTCOME_FAILED, message: expect.stringContaining(said) } },
      ]);
    }
  });

  it.each<[Outcome, StepEnd]>([
    [Outcome.OUTCOME_FAILED, { kind: 'not_written', message: '' }],
    [Outcome.OUTCOME_FAILED, { kind: 'rejected', message: '' }],
    [Outcome.OUTCOME_FAILED, { kind: 'not_verified', message: '' }],
    [Outcome.OUTCOME_STUCK, { kind: 'stuck', message: '' }],
    [Outcome.OUTCOME_FAILED, { kind: 'kernel_died', message: '' }],
  ])('ends as %i when a step is %j', (outcome, stepEnd) => {
    expect(end({ kind: 'stepping', verdict: reload, index: 0 }, { kind: 'step_ended', end: stepEnd })).toBe(outcome);
  });

  it('over any events: one end at most, no step without an intent, none begun late, and nothing after the end', () => {
    const anyEvent = fc.constantFrom<ActionEvent>(
      { kind: 'turn' },
      { kind: 'cancel' },
      { kind: 'assessed', verdict: reload },
      { kind: 'assessed', verdict: refusalVerdict('held_by', '') },
      { kind: 'assess_failed', message: '' },
      { kind: 'intent_written' },
      { kind: 'intent_failed', code: 'unjournalled', message: '' },
      { kind: 'step_ended', end: { kind: 'done' } },
      { kind: 'step_ended', end: { kind: 'rejected', message: '' } },
    );
    const anyNow = fc.constantFrom(early, late, undefined);
    fc.assert(
      fc.property(fc.array(fc.tuple(anyEvent, anyNow), { maxLength: 20 }), fc.boolean(), (events, dryRun) => {
        let state: ActionState = waiting;
        let intent = false;
        let ends = 0;
        for (const [event, now] of events) {
          const before = state;
          const { next, effects } = transition({ ...frame, dryRun }, state, event, now);
          for (const effect of effects) {
            if (effect.kind === 'write_intent') intent = true;
            if (effect.kind === 'end') ends += 1;
            if (effect.kind !== 'run_step') continue;
            expect(intent && !dryRun).toBe(true);
            if (effect.index === 0)
              expect([before.kind, event.kind, now]).toEqual(['intending', 'intent_written', early]);
          }
          if (before.kind === 'ended')
            expect(effects.every((effect) => effect.kind === 'tell_cancel_refused')).toBe(true);
          state = next;
        }
        expect(ends).toBeLessThanOrEqual(1);
      }),
    );
  });
});
