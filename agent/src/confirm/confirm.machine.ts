import { assertNever, type ConfirmCause } from '@modfleet/proto';
import type { ConfirmAnswer } from './confirmer.ts';
import type { RevertReport } from './window-plan.ts';

/*
 * What the agent does between the end of its steps and the end of the window. The host reverts by itself at the deadline, whatever the agent
 * does; the agent's only power is to keep, and only with the server's answer in its hand.
 *
 * INVARIANTS
 * - `kept` follows from nothing but: the server answered yes, the answer was there before the deadline, and the agent won the one rename.
 * - After the deadline nothing is asked and nothing is kept, also when the answer comes a moment later.
 * - Having lost the rename the agent never says `kept`; it waits for the revert's own report.
 * - A revert that nobody begins (a timer that does not fire) is begun by the agent, `PATIENCE_MS` after the deadline.
 * - A revert that was begun and died is begun again, as often as it takes: nobody at work and no report is no end.
 * - `reverted` follows from nothing but a report; where none came in time the end is `not_known`.
 * - Every life ends in exactly one `end`; after it every event changes nothing.
 */

/** How long after the deadline the timer may take to begin: its accuracy, and the start of a program on a slow host. */
export const PATIENCE_MS = 15_000;

/** For so long nobody may be at work on a window that is to be reverted: a program that was begun starts, or is started again by systemd. */
export const AGAIN_MS = 15_000;

/** The same, where it cannot be told whether somebody is at work: a revert seldom takes longer. */
export const BLIND_AGAIN_MS = 120_000;

/** How much longer than its limit a revert may take while it is seen to be at work. */
export const STILL_AT_WORK_MS = 600_000;

/** Between two attempts. */
export const RETRY_MS = 1_000;

/** The longest that one attempt may take. */
export const ATTEMPT_MS = 5_000;

export type WindowState =
  | { readonly kind: 'asking'; readonly attempts: number; readonly from: string }
  | { readonly kind: 'claiming'; readonly attempts: number; readonly from: string }
  /** A revert is expected, or under way. */
  | {
      readonly kind: 'waiting';
      readonly attempts: number;
      readonly from: string;
      /** Somebody was to begin. */
      readonly begun: boolean;
      /** Why, if it is to be begun again. */
      readonly cause: ConfirmCause;
      /** Boot time since when nobody is at work although somebody was to begin. */
      readonly quietSinceMs: number | undefined;
    }
  | { readonly kind: 'ended' };

export type WindowEvent =
  /** Time has passed. */
  | { readonly kind: 'tick' }
  | { readonly kind: 'answer'; readonly answer: ConfirmAnswer }
  /** The rename is done; `won` says by whom. */
  | { readonly kind: 'claimed'; readonly won: boolean }
  /** What the disk says of the revert, and who is at work. */
  | {
      readonly kind: 'seen';
      readonly claimed: boolean;
      readonly report: RevertReport | undefined;
      readonly atWork: AtWork;
    };

/** Whether a process is at work on the window's revert. */
export type AtWork = 'somebody' | 'nobody' | 'not_known';

/** Until when, in boot time, ms. */
export interface WindowLimits {
  /** The window's end. */
  readonly deadlineMs: number;
  /** From here on a revert that has not reported is called unknown. */
  readonly giveUpMs: number;
}

/** How the window ended, as the agent knows it. */
export type WindowEnd =
  | { readonly kind: 'kept'; readonly attempts: number; readonly from: string }
  | { readonly kind: 'reverted'; readonly attempts: number; readonly from: string; readonly report: RevertReport }
  /** Nothing was kept, and no revert has reported; `claimed`: one has begun. */
  | {
      readonly kind: 'not_known';
      readonly attempts: number;
      readonly cause: ConfirmCause;
      readonly claimed: boolean;
    };

export type WindowEffect =
  | { readonly kind: 'ask'; readonly timeoutMs: number }
  | { readonly kind: 'sleep'; readonly ms: number }
  | { readonly kind: 'claim' }
  | { readonly kind: 'begin_revert'; readonly cause: ConfirmCause }
  /** Look at the disk, after a moment. */
  | { readonly kind: 'look' }
  | { readonly kind: 'end'; readonly end: WindowEnd };

export interface WindowStep {
  readonly next: WindowState;
  readonly effect: WindowEffect | undefined;
}

/** Where the agent stands when its steps are done. */
export const WINDOW_START: WindowState = { kind: 'asking', attempts: 0, from: '' };

/** A revert was begun for this reason; its report is awaited. */
export function awaiting(cause: ConfirmCause): WindowState {
  return { kind: 'waiting', attempts: 0, from: '', begun: true, cause, quietSinceMs: undefined };
}

/** What follows from an event. Pure; times are boot time. */
export function windowStep(state: WindowState, event: WindowEvent, nowMs: number, limits: WindowLimits): WindowStep {
  switch (state.kind) {
    case 'asking':
      return onAsking(state, event, nowMs, limits.deadlineMs);
    case 'claiming':
      if (event.kind !== 'claimed') return { next: state, effect: undefined };
      return event.won ? end({ kind: 'kept', attempts: state.attempts, from: state.from }) : wait(state, true);
    case 'waiting':
      return onWaiting(state, event, nowMs, limits);
    case 'ended':
      return { next: state, effect: undefined };
    default:
      return assertNever(state);
  }
}

function onAsking(
  state: Extract<WindowState, { kind: 'asking' }>,
  event: WindowEvent,
  nowMs: number,
  deadlineMs: number,
): WindowStep {
  const left = deadlineMs - nowMs;
  switch (event.kind) {
    case 'tick':
      if (left <= 0) return wait(state, false);
      return {
        next: { ...state, attempts: state.attempts + 1 },
        effect: { kind: 'ask', timeoutMs: Math.min(left, ATTEMPT_MS) },
      };
    case 'answer':
      if (left <= 0) return wait(state, false);
      return onAnswer(state, event.answer, left);
    case 'claimed':
    case 'seen':
      return { next: state, effect: undefined };
    default:
      return assertNever(event);
  }
}

function onAnswer(state: Extract<WindowState, { kind: 'asking' }>, answer: ConfirmAnswer, left: number): WindowStep {
  switch (answer.kind) {
    case 'confirmed':
      return { next: { ...state, kind: 'claiming', from: answer.from }, effect: { kind: 'claim' } };
    case 'refused':
      return {
        next: { ...state, kind: 'waiting', begun: true, cause: 'refused', quietSinceMs: undefined },
        effect: { kind: 'begin_revert', cause: 'refused' },
      };
    case 'unreachable':
      return { next: state, effect: { kind: 'sleep', ms: Math.min(left, RETRY_MS) } };
    default:
      return assertNever(answer);
  }
}

function onWaiting(
  state: Extract<WindowState, { kind: 'waiting' }>,
  event: WindowEvent,
  nowMs: number,
  { deadlineMs, giveUpMs }: WindowLimits,
): WindowStep {
  if (event.kind !== 'seen') return { next: state, effect: { kind: 'look' } };
  const { attempts, from, begun, cause, quietSinceMs = nowMs } = state;
  const { claimed, report, atWork } = event;
  const hasLastWord = report !== undefined && !report.waitsForServer;
  if (hasLastWord || nowMs > giveUpMs + (atWork === 'somebody' ? STILL_AT_WORK_MS : 0)) {
    // One that still waits for the server has put the host back.
    return report === undefined
      ? end({ kind: 'not_known', attempts, cause, claimed })
      : end({ kind: 'reverted', attempts, from, report });
  }
  const begin: WindowStep = {
    next: { ...state, begun: true, quietSinceMs: nowMs },
    effect: { kind: 'begin_revert', cause },
  };
  const look = (since: number | undefined): WindowStep => ({
    next: { ...state, quietSinceMs: since },
    effect: { kind: 'look' },
  });
  if (!claimed && !begun) return nowMs >= deadlineMs + PATIENCE_MS ? begin : look(undefined);
  if (atWork === 'somebody') return look(undefined);
  return nowMs >= quietSinceMs + (atWork === 'nobody' ? AGAIN_MS : BLIND_AGAIN_MS) ? begin : look(quietSinceMs);
}

function wait({ attempts, from }: { readonly attempts: number; readonly from: string }, begun: boolean): WindowStep {
  const next: WindowState = { kind: 'waiting', attempts, from, begun, cause: 'no_server', quietSinceMs: undefined };
  return { next, effect: { kind: 'look' } };
}

function end(how: WindowEnd): WindowStep {
  return { next: { kind: 'ended' }, effect: { kind: 'end', end: how } };
}
