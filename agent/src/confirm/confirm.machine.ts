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
 * - Every life ends in exactly one `end`; after it every event changes nothing.
 */

/** How long after the deadline the timer may take to begin: its accuracy, and the start of a program on a slow host. */
export const PATIENCE_MS = 15_000;

/** Between two attempts. */
export const RETRY_MS = 1_000;

/** The longest that one attempt may take. */
export const ATTEMPT_MS = 5_000;

export type WindowState =
  | { readonly kind: 'asking'; readonly attempts: number; readonly from: string }
  | { readonly kind: 'claiming'; readonly attempts: number; readonly from: string }
  /** A revert is expected, or under way. */
  | { readonly kind: 'waiting'; readonly attempts: number; readonly from: string; readonly begun: boolean }
  | { readonly kind: 'ended' };

export type WindowEvent =
  /** Time has passed. */
  | { readonly kind: 'tick' }
  | { readonly kind: 'answer'; readonly answer: ConfirmAnswer }
  /** The rename is done; `won` says by whom. */
  | { readonly kind: 'claimed'; readonly won: boolean }
  /** What the disk says of the revert. */
  | { readonly kind: 'seen'; readonly claimed: boolean; readonly report: RevertReport | undefined };

/** How the window ended, as the agent knows it. */
export type WindowEnd =
  | { readonly kind: 'kept'; readonly attempts: number; readonly from: string }
  | { readonly kind: 'reverted'; readonly attempts: number; readonly from: string; readonly report: RevertReport };

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

/** What follows from an event. Pure; `nowMs` and `deadlineMs` are boot time. */
export function windowStep(state: WindowState, event: WindowEvent, nowMs: number, deadlineMs: number): WindowStep {
  switch (state.kind) {
    case 'asking':
      return onAsking(state, event, nowMs, deadlineMs);
    case 'claiming':
      if (event.kind !== 'claimed') return { next: state, effect: undefined };
      return event.won ? end({ kind: 'kept', attempts: state.attempts, from: state.from }) : wait(state, true);
    case 'waiting':
      return onWaiting(state, event, nowMs, deadlineMs);
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
        next: { ...state, kind: 'waiting', begun: true },
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
  deadlineMs: number,
): WindowStep {
  if (event.kind !== 'seen') return { next: state, effect: { kind: 'look' } };
  if (event.report !== undefined) {
    return end({ kind: 'reverted', attempts: state.attempts, from: state.from, report: event.report });
  }
  if (!event.claimed && !state.begun && nowMs >= deadlineMs + PATIENCE_MS) {
    return { next: { ...state, begun: true }, effect: { kind: 'begin_revert', cause: 'no_server' } };
  }
  return { next: state, effect: { kind: 'look' } };
}

function wait({ attempts, from }: { readonly attempts: number; readonly from: string }, begun: boolean): WindowStep {
  return { next: { kind: 'waiting', attempts, from, begun }, effect: { kind: 'look' } };
}

function end(how: WindowEnd): WindowStep {
  return { next: { kind: 'ended' }, effect: { kind: 'end', end: how } };
}
