import {
  assertNever,
  ConfirmEnd,
  type ConfirmReport,
  Outcome,
  type PlanStep,
  type StepResult,
  type Verdict,
} from '@modfleet/proto';
import { isPersistent } from './findings/facts.ts';
import { mayHavePassed, type ServerTime } from './server-time.ts';

/*
 * INVARIANTS
 * - No step before the intent is on disk, and none for a dry run, a refusal, or an action whose end state already holds.
 * - The first step begins only with a valid server time, and not when now + error bound passes `expiresAtMs`. Time is asked twice: at the turn,
 *   and again after the intent was written.
 * - Once the first step has begun a cancel is refused. The time is asked for before each further step, too; but what was unloaded is loaded again
 *   whatever the clock says (a host without its driver is worse than a late load), and so is what was kept brought to its end.
 * - With a confirm window: no step before it is open, and success only when it was kept. A step that fails inside it ends in a revert. No lasting step
 *   (a file for the next boot) before it was kept: those come last in the plan, and run after its end.
 * - Every life ends in exactly one `end`; after it every event changes nothing.
 */

/** What the machine must know of an action. */
export interface ActionFrame {
  readonly dryRun: boolean;
  /** Server time, ms since the epoch. */
  readonly expiresAtMs: number;
  /** 0: no confirm window. */
  readonly confirmWindowSeconds: number;
}

export type ActionState =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'assessing'; readonly cancelled: boolean }
  | { readonly kind: 'intending'; readonly cancelled: boolean; readonly verdict: Verdict }
  | { readonly kind: 'opening_window'; readonly verdict: Verdict }
  /** `kept`: the confirm window is over, and what comes now is lasting. */
  | { readonly kind: 'stepping'; readonly verdict: Verdict; readonly index: number; readonly kept?: boolean }
  /** All steps but lasting ones (from `next` on) are done, or one failed: the confirm window decides. */
  | {
      readonly kind: 'closing_window';
      readonly verdict: Verdict;
      readonly failure: Ending | undefined;
      readonly next: number;
    }
  | { readonly kind: 'ended' };

/** How a step ended, judged by what is seen afterwards: /proc/modules, sysfs, the file. */
export type StepEnd =
  | { readonly kind: 'done' }
  /** The program said no, and /proc/modules agrees. */
  | { readonly kind: 'rejected'; readonly message: string }
  /** The program said yes, /proc/modules says otherwise. */
  | { readonly kind: 'not_verified'; readonly message: string }
  /** A file of the host could not be written as wanted. */
  | { readonly kind: 'not_written'; readonly message: string }
  /** Past its time, and the kernel is still at it. */
  | { readonly kind: 'stuck'; readonly message: string }
  /** The kernel oopsed. */
  | { readonly kind: 'kernel_died'; readonly message: string };

/** One step that was started. */
export interface StepReport {
  readonly result: StepResult;
  readonly end: StepEnd;
}

export type ActionEvent =
  /** Nothing else is under way on this host. */
  | { readonly kind: 'turn' }
  | { readonly kind: 'assessed'; readonly verdict: Verdict }
  | { readonly kind: 'assess_failed'; readonly message: string }
  | { readonly kind: 'intent_written' }
  | { readonly kind: 'intent_failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'window_opened' }
  | { readonly kind: 'window_failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'step_ended'; readonly end: StepEnd }
  | { readonly kind: 'window_ended'; readonly report: ConfirmReport }
  | { readonly kind: 'cancel' };

/** How the action ends. */
export interface Ending {
  readonly outcome: Outcome;
  /** A finding or reason code; empty for a plain success. */
  readonly code: string;
  readonly message: string;
}

export type ActionEffect =
  | { readonly kind: 'assess' }
  | { readonly kind: 'write_intent'; readonly verdict: Verdict }
  | { readonly kind: 'tell_started'; readonly verdict: Verdict }
  | { readonly kind: 'tell_cancel_refused' }
  | { readonly kind: 'open_window'; readonly verdict: Verdict }
  | { readonly kind: 'run_step'; readonly index: number; readonly step: PlanStep }
  /** Ask for the confirm until the deadline, or revert at once when a step failed. */
  | { readonly kind: 'close_window'; readonly failed: boolean }
  | { readonly kind: 'end'; readonly ending: Ending; readonly verdict: Verdict | undefined };

export interface Transition {
  readonly next: ActionState;
  readonly effects: readonly ActionEffect[];
}

/** What follows from an event; an event that does not fit the state changes nothing. */
export function transition(frame: ActionFrame, state: ActionState, event: ActionEvent, now: ServerTime): Transition {
  switch (state.kind) {
    case 'waiting':
      return onWaiting(frame, state, event, now);
    case 'assessing':
      return onAssessing(frame, state, event);
    case 'intending':
      return onIntending(frame, state, event, now);
    case 'opening_window':
      return onOpeningWindow(frame, state, event, now);
    case 'stepping':
      return onStepping(frame, state, event, now);
    case 'closing_window':
      return onClosingWindow(state, event);
    case 'ended':
      return event.kind === 'cancel' ? { next: state, effects: [{ kind: 'tell_cancel_refused' }] } : stay(state);
    default:
      return assertNever(state);
  }
}

function onWaiting(frame: ActionFrame, state: ActionState, event: ActionEvent, now: ServerTime): Transition {
  if (event.kind === 'cancel') return end(CANCELLED);
  if (event.kind !== 'turn') return stay(state);
  return late(frame, now) ?? { next: { kind: 'assessing', cancelled: false }, effects: [{ kind: 'assess' }] };
}

function onAssessing(
  frame: ActionFrame,
  state: Extract<ActionState, { kind: 'assessing' }>,
  event: ActionEvent,
): Transition {
  if (event.kind === 'cancel') return stay({ ...state, cancelled: true });
  if (event.kind === 'assess_failed') {
    return end({
      outcome: Outcome.OUTCOME_REFUSED,
      code: 'unsupported',
      message: `${event.message}; nothing was touched`,
    });
  }
  if (event.kind !== 'assessed') return stay(state);
  const { verdict } = event;
  if (state.cancelled) return end(CANCELLED, verdict);
  if (!verdict.allowed) {
    const message = verdict.findings[0]?.message ?? 'the host refuses';
    return end({ outcome: Outcome.OUTCOME_REFUSED, code: verdict.decidedBy, message }, verdict);
  }
  if (verdict.plan.length === 0) {
    const message = verdict.findings[0]?.message ?? 'it is already so';
    return end({ outcome: Outcome.OUTCOME_UNCHANGED, code: verdict.findings[0]?.code ?? '', message }, verdict);
  }
  if (frame.dryRun) {
    return end(
      { outcome: Outcome.OUTCOME_SUCCEEDED, code: '', message: 'dry run: it would be done; nothing was touched' },
      verdict,
    );
  }
  return { next: { kind: 'intending', cancelled: false, verdict }, effects: [{ kind: 'write_intent', verdict }] };
}

function onIntending(
  frame: ActionFrame,
  state: Extract<ActionState, { kind: 'intending' }>,
  event: ActionEvent,
  now: ServerTime,
): Transition {
  const { verdict } = state;
  if (event.kind === 'cancel') return stay({ ...state, cancelled: true });
  if (event.kind === 'intent_failed') {
    return end({ outcome: Outcome.OUTCOME_REFUSED, code: event.code, message: event.message }, verdict);
  }
  if (event.kind !== 'intent_written') return stay(state);
  if (state.cancelled) return end(CANCELLED, verdict);
  const tooLate = late(frame, now, verdict);
  if (tooLate !== undefined) return tooLate;
  const started: ActionEffect = { kind: 'tell_started', verdict };
  if (frame.confirmWindowSeconds === 0) return runStep(verdict, 0, [started]);
  return { next: { kind: 'opening_window', verdict }, effects: [started, { kind: 'open_window', verdict }] };
}

/** From `tell_started` on a cancel comes too late, as the server has been told. */
function onOpeningWindow(
  frame: ActionFrame,
  state: Extract<ActionState, { kind: 'opening_window' }>,
  event: ActionEvent,
  now: ServerTime,
): Transition {
  const { verdict } = state;
  if (event.kind === 'cancel') return { next: state, effects: [{ kind: 'tell_cancel_refused' }] };
  if (event.kind === 'window_failed') {
    return end({ outcome: Outcome.OUTCOME_REFUSED, code: event.code, message: event.message }, verdict);
  }
  if (event.kind !== 'window_opened') return stay(state);
  // A snapshot takes a moment; what it holds is as it was, so that closing this window puts nothing back.
  return late(frame, now, verdict) ?? nextStep(frame, verdict, 0, false);
}

function onClosingWindow(state: Extract<ActionState, { kind: 'closing_window' }>, event: ActionEvent): Transition {
  if (event.kind === 'cancel') return { next: state, effects: [{ kind: 'tell_cancel_refused' }] };
  if (event.kind !== 'window_ended') return stay(state);
  const { verdict, failure, next } = state;
  const ending = failure ?? endingOfWindow(event.report);
  if (ending.outcome !== Outcome.OUTCOME_SUCCEEDED || next >= verdict.plan.length) return end(ending, verdict);
  return runStep(verdict, next, [], true);
}

/** How an action ends whose steps were all done. */
export function endingOfWindow(report: ConfirmReport): Ending {
  if (report.end === ConfirmEnd.CONFIRM_END_KEPT) return { outcome: Outcome.OUTCOME_SUCCEEDED, code: '', message: '' };
  const ended = `the confirm window${report.windowSeconds === 0 ? '' : ` of ${report.windowSeconds} s`} ended without a confirm (${report.cause})`;
  if (report.end === ConfirmEnd.CONFIRM_END_UNKNOWN) {
    const message = `${ended}, and whether the host is as before is not known: ${report.missing.join('; ')}`;
    return { outcome: Outcome.OUTCOME_INTERRUPTED, code: 'interrupted', message };
  }
  const missing = report.missing.length === 0 ? 'all is as before' : `missing: ${report.missing.join('; ')}`;
  const message = `${ended}, and the host put itself back; ${missing}`;
  return { outcome: Outcome.OUTCOME_REVERTED, code: 'not_confirmed', message };
}

function onStepping(
  frame: ActionFrame,
  state: Extract<ActionState, { kind: 'stepping' }>,
  event: ActionEvent,
  now: ServerTime,
): Transition {
  const { verdict, index, kept = false } = state;
  if (event.kind === 'cancel') return { next: state, effects: [{ kind: 'tell_cancel_refused' }] };
  if (event.kind !== 'step_ended') return stay(state);
  switch (event.end.kind) {
    case 'done': {
      const tooLate = kept ? undefined : lateBetween(frame, verdict, index + 1, now);
      return tooLate === undefined
        ? nextStep(frame, verdict, index + 1, kept)
        : closeWith(frame, verdict, index + 1, tooLate);
    }
    case 'rejected':
    case 'not_verified':
    case 'not_written':
    case 'stuck':
    case 'kernel_died': {
      const failure = failureOf(event.end);
      if (!kept) return closeWith(frame, verdict, index + 1, failure);
      // Never stuck: what returns late inside a window is put back once more, and this is kept.
      const message = `what was done was confirmed and is kept, but ${failure.message}`;
      return end({ ...failure, outcome: Outcome.OUTCOME_FAILED, message }, verdict);
    }
    default:
      return assertNever(event.end);
  }
}

/** The step at `index`, or the end of the steps; inside a confirm window that is before the first lasting one. */
function nextStep(frame: ActionFrame, verdict: Verdict, index: number, kept: boolean): Transition {
  const step = verdict.plan[index];
  const isWindowOpen = frame.confirmWindowSeconds > 0 && !kept;
  if (isWindowOpen && (step === undefined || isPersistent(step))) return closeWith(frame, verdict, index, undefined);
  if (step === undefined) return end({ outcome: Outcome.OUTCOME_SUCCEEDED, code: '', message: '' }, verdict);
  return runStep(verdict, index, [], kept);
}

function failureOf(stepEnd: Exclude<StepEnd, { kind: 'done' }>): Ending {
  const { message } = stepEnd;
  switch (stepEnd.kind) {
    case 'rejected':
      return { outcome: Outcome.OUTCOME_FAILED, code: 'rejected_by_kernel', message };
    case 'not_verified':
      return { outcome: Outcome.OUTCOME_FAILED, code: 'not_verified', message };
    case 'not_written':
      return { outcome: Outcome.OUTCOME_FAILED, code: 'not_written', message };
    case 'stuck':
      return { outcome: Outcome.OUTCOME_STUCK, code: 'stuck', message };
    case 'kernel_died':
      return { outcome: Outcome.OUTCOME_FAILED, code: 'kernel_died', message };
    default:
      return assertNever(stepEnd);
  }
}

/** The end of the steps; inside a confirm window that has the last word. */
function closeWith(frame: ActionFrame, verdict: Verdict, next: number, failure: Ending | undefined): Transition {
  if (frame.confirmWindowSeconds === 0 && failure !== undefined) return end(failure, verdict);
  return {
    next: { kind: 'closing_window', verdict, failure, next },
    effects: [{ kind: 'close_window', failed: failure !== undefined }],
  };
}

const CANCELLED: Ending = {
  outcome: Outcome.OUTCOME_CANCELLED,
  code: 'cancelled',
  message: 'taken back before its first step; nothing was touched',
};

/** The end of an action whose time is over, or cannot be told any more, before a further step. */
function lateBetween(frame: ActionFrame, verdict: Verdict, next: number, now: ServerTime): Ending | undefined {
  const before = verdict.plan.slice(0, next);
  const rest = verdict.plan.slice(next);
  if (rest.length === 0 || loadsAgain(before, rest)) return undefined;
  if (now !== undefined && !mayHavePassed(now, frame.expiresAtMs)) return undefined;
  const why = now === undefined ? 'the server time was lost' : 'its time was over';
  const done = before.map(doneWords).join(', ');
  const message = `${why} after ${next} of ${verdict.plan.length} steps: ${done}; the rest was not tried`;
  return { outcome: Outcome.OUTCOME_FAILED, code: now === undefined ? 'no_server_time' : 'expired', message };
}

/** Whether something is unloaded already that a later step loads again. Pure. */
export function loadsAgain(before: readonly PlanStep[], rest: readonly PlanStep[]): boolean {
  return before.some(
    (gone) => gone.kind === 'rmmod' && rest.some((step) => step.kind === 'modprobe' && step.kmod === gone.kmod),
  );
}

/** What a step that was done has made so. */
function doneWords({ kind, kmod }: PlanStep): string {
  switch (kind) {
    case 'rmmod':
      return `${kmod} is unloaded`;
    case 'modprobe':
      return `${kmod} is loaded`;
    case 'set_parameters':
      return `parameters of ${kmod} are set`;
    case 'persist':
      return `${kmod} is listed to load at boot`;
    case 'unpersist':
      return `${kmod} is not listed to load at boot`;
    default:
      return `${kind} ${kmod} is done`;
  }
}

/** The end of an action whose time is over, or cannot be told. */
function late(frame: ActionFrame, now: ServerTime, verdict?: Verdict): Transition | undefined {
  if (now === undefined) {
    return end(
      {
        outcome: Outcome.OUTCOME_REFUSED,
        code: 'no_server_time',
        message:
          'the host has no server time of the last 5 minutes, so it cannot tell whether this has expired; nothing was touched',
      },
      verdict,
    );
  }
  if (!mayHavePassed(now, frame.expiresAtMs)) return undefined;
  return end(
    {
      outcome: Outcome.OUTCOME_EXPIRED,
      code: 'expired',
      message: 'its time was over before its first step; nothing was touched',
    },
    verdict,
  );
}

function runStep(verdict: Verdict, index: number, before: readonly ActionEffect[] = [], kept = false): Transition {
  const step = verdict.plan[index];
  if (step === undefined) throw new Error(`plan has no step ${index}`);
  return { next: { kind: 'stepping', verdict, index, kept }, effects: [...before, { kind: 'run_step', index, step }] };
}

function end(ending: Ending, verdict?: Verdict): Transition {
  return { next: { kind: 'ended' }, effects: [{ kind: 'end', ending, verdict }] };
}

function stay(next: ActionState): Transition {
  return { next, effects: [] };
}
