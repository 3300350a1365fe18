import { assertNever, type OutcomeWord } from '@modfleet/proto';
import { resultGraceMs, isEnded, isOpenToReport, isReportable, type ActionState } from './action.states.ts';

/*
 * INVARIANTS
 * - Nothing but a result of the host, or proof that it was never sent, gives an action its outcome. `unconfirmed` says that there is neither.
 * - `cancelled` and `expired` are said by this server only of an action in state `queued`: no byte of it has left. A new epoch of commands ends
 *   what is queued as `unconfirmed`: it follows a database that was put back, and that knows less than was sent.
 * - An action whose right was withdrawn never goes from `queued` to `dispatched`; one that was sent and has not started is asked back.
 * - An outcome never changes. `unconfirmed` and `stuck` may be resolved by one report, once; both are kept.
 * - A result is never dropped: it is the action's own, or it is kept apart with the reason; either way the host may forget it (acknowledge).
 * - The confirm is given to a host that asks inside an open action with a window, and is no outcome: success is what the host's result says.
 * - A state only moves forward, but for `dispatched -> queued` when the sender knows that nothing was written.
 */

/** What the machine needs to know of an action. */
export interface ActionSnapshot {
  readonly state: ActionState;
  readonly outcome: OutcomeWord | null;
  readonly resolvedOutcome: OutcomeWord | null;
  readonly expiresAt: Date;
  readonly dispatchedAt: Date | null;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly resolvedAt: Date | null;
  readonly cancelRequestedAt: Date | null;
  readonly cancelledBy: string | null;
  /** Seconds; 0: no confirm window. */
  readonly confirmWindowSeconds: number;
  /** Until when the host waits for the confirm; null before it has told. */
  readonly confirmDeadline: Date | null;
  /** When the confirm was answered with yes, last, and to which address and port. Offered is not kept. */
  readonly confirmOfferedAt: Date | null;
  readonly confirmPeer: string | null;
}

export type ActionEvent =
  /** The guarded update took it: it is sent next. */
  | { readonly kind: 'dispatch' }
  /** It was taken, and the stream was gone before a byte was written. */
  | { readonly kind: 'not_sent' }
  /** The host has it. */
  | { readonly kind: 'received' }
  /** The host has journalled its intent. */
  | { readonly kind: 'started' }
  /** The host's confirm window is armed, its step comes next. */
  | { readonly kind: 'window_armed'; readonly deadline: Date | null }
  /** The host asks for the confirm, over a connection of its own. */
  | { readonly kind: 'confirm_asked'; readonly peer: string }
  /** Somebody wants it back. */
  | { readonly kind: 'cancel'; readonly by: string }
  /** Who asked for it may not any more. */
  | { readonly kind: 'withdraw'; readonly why: string }
  /** The host says that it does not take it back: it has started, or the host could not keep the cancel. */
  | { readonly kind: 'cancel_refused' }
  /** The host says how it ended. `startedAt` is unset when no step began. */
  | { readonly kind: 'result'; readonly outcome: OutcomeWord | undefined; readonly startedAt?: Date }
  /** Somebody began a new epoch of commands: those of older ones are over. */
  | { readonly kind: 'epoch_raised'; readonly to: number }
  /** Time has passed. */
  | { readonly kind: 'sweep' };

export type ActionEventKind = ActionEvent['kind'];

export type ActionEffect =
  /** A line of the timeline. */
  | { readonly kind: 'record'; readonly note: string }
  /** The result belongs to the action. */
  | { readonly kind: 'store_result' }
  /** The result is true of something, but not of this action as it is known here: keep it apart. */
  | { readonly kind: 'keep_result_apart'; readonly why: string }
  /** The result is stored: the host may forget it. */
  | { readonly kind: 'acknowledge' }
  /** The answer is yes: the confirm. Only after the commit. */
  | { readonly kind: 'confirm' }
  /** Ask the host to take it back. */
  | { readonly kind: 'send_cancel' }
  /** The host has nothing in flight any more: its queue may move. */
  | { readonly kind: 'advance_queue' };

export interface Decision {
  readonly next: ActionSnapshot;
  readonly effects: readonly ActionEffect[];
}

/** What stands in the place of who cancelled it, for an action whose right was withdrawn. No account is called so. */
export const RIGHT_WITHDRAWN = 'right_withdrawn';

/** Which state an event leads to; an event without an entry is refused and changes nothing. `same` keeps the state. */
export const TRANSITIONS = {
  queued: {
    dispatch: 'dispatched',
    cancel: 'ended',
    withdraw: 'ended',
    result: 'ended',
    epoch_raised: 'ended',
    sweep: 'ended',
  },
  dispatched: {
    not_sent: 'queued',
    received: 'received',
    started: 'started',
    window_armed: 'started',
    confirm_asked: 'started',
    cancel: 'same',
    withdraw: 'same',
    cancel_refused: 'same',
    result: 'ended',
    epoch_raised: 'ended',
    sweep: 'ended',
  },
  received: {
    started: 'started',
    window_armed: 'started',
    confirm_asked: 'started',
    cancel: 'same',
    withdraw: 'same',
    cancel_refused: 'same',
    result: 'ended',
    epoch_raised: 'ended',
    sweep: 'ended',
  },
  started: {
    window_armed: 'same',
    confirm_asked: 'same',
    cancel: 'same',
    cancel_refused: 'same',
    result: 'ended',
    epoch_raised: 'ended',
    sweep: 'ended',
  },
  ended: { result: 'same' },
} as const satisfies Record<ActionState, Partial<Record<ActionEventKind, ActionState | 'same'>>>;

/** True when the table has an entry; a sweep before its time is accepted and does nothing. */
export function isAccepted(state: ActionState, kind: ActionEventKind): boolean {
  return kind in TRANSITIONS[state];
}

/** The only place that decides what becomes of an action. Pure: the caller brings the time (Postgres's). */
export function decide(action: ActionSnapshot, event: ActionEvent, now: Date): Decision {
  if (!isAccepted(action.state, event.kind)) return { next: action, effects: [] };
  switch (event.kind) {
    case 'dispatch':
      return move(action, { state: 'dispatched', dispatchedAt: now }, 'sent to the host, not yet confirmed');
    case 'not_sent':
      return move(
        action,
        { state: 'queued', dispatchedAt: null },
        'not sent after all: the session of the host ended before a byte was written',
      );
    case 'received':
      return move(action, { state: 'received' }, 'the host has it; not started');
    case 'started':
      return move(action, { state: 'started', startedAt: now }, 'started on the host');
    case 'window_armed':
      return move(
        action,
        { state: 'started', startedAt: action.startedAt ?? now, confirmDeadline: event.deadline },
        `the host has armed its confirm window: without a confirm it puts itself back${event.deadline === null ? '' : ` at ${event.deadline.toISOString()}`}`,
      );
    case 'confirm_asked':
      return decideConfirm(action, event.peer, now);
    case 'cancel':
      return decideCancel(action, event.by, now);
    case 'withdraw':
      return decideWithdrawal(action, event.why, now);
    case 'cancel_refused':
      // Nothing is concluded about the start: the host says that by itself.
      return move(
        action,
        { cancelRequestedAt: null, cancelledBy: null },
        'the host does not take it back: it has started, or its cancel could not be kept there',
      );
    case 'result':
      return decideResult(action, event, now);
    case 'epoch_raised':
      return decideRaised(action, event.to, now);
    case 'sweep':
      return decideSweep(action, now);
    default:
      return assertNever(event);
  }
}

function move(action: ActionSnapshot, change: Partial<ActionSnapshot>, note: string): Decision {
  return { next: { ...action, ...change }, effects: [{ kind: 'record', note }] };
}

/**
 * The host asks because its step is done, so it has started, whatever else was heard. Yes as often as it asks: an answer may be lost, and whether
 * one was in time only the host knows.
 */
function decideConfirm(action: ActionSnapshot, peer: string, now: Date): Decision {
  if (action.confirmWindowSeconds === 0) return { next: action, effects: [] };
  const next: ActionSnapshot = {
    ...action,
    state: 'started',
    startedAt: action.startedAt ?? now,
    confirmOfferedAt: now,
    confirmPeer: peer,
  };
  const note = `the host asked from ${peer} and was given the confirm; not kept before the host says so`;
  return { next, effects: [{ kind: 'record', note }, { kind: 'confirm' }] };
}

function decideCancel(action: ActionSnapshot, by: string, now: Date): Decision {
  if (action.state === 'started')
    return move(action, {}, `cancel asked for by ${by}: too late, it had already started`);
  const asked = { cancelRequestedAt: action.cancelRequestedAt ?? now, cancelledBy: action.cancelledBy ?? by };
  if (action.state === 'queued') {
    return move(
      action,
      { ...asked, state: 'ended', outcome: 'cancelled', endedAt: now },
      'cancelled before it was sent',
    );
  }
  const first = action.cancelRequestedAt === null;
  const note = 'cancel asked for, not yet answered by the host';
  return {
    next: { ...action, ...asked },
    effects: [...(first ? [{ kind: 'record', note } as const] : []), { kind: 'send_cancel' }],
  };
}

/** Like a cancel; who takes it back is the lost right, and the reason stands in the timeline. */
function decideWithdrawal(action: ActionSnapshot, why: string, now: Date): Decision {
  const { next, effects } = decideCancel(action, RIGHT_WITHDRAWN, now);
  return {
    next,
    effects: effects.map((effect) =>
      effect.kind === 'record' ? { ...effect, note: `${effect.note}; ${RIGHT_WITHDRAWN}: ${why}` } : effect,
    ),
  };
}

function decideResult(action: ActionSnapshot, event: Extract<ActionEvent, { kind: 'result' }>, now: Date): Decision {
  const { outcome } = event;
  if (outcome === undefined || !isReportable(outcome)) {
    return keptApart(action, 'the result carries no outcome that a host can report');
  }
  if (!isEnded(action.state)) {
    const startedAt = event.startedAt ?? action.startedAt;
    return {
      next: { ...action, state: 'ended', outcome, startedAt, endedAt: now },
      effects: [
        { kind: 'record', note: `the host reports: ${outcome}` },
        { kind: 'store_result' },
        { kind: 'acknowledge' },
        { kind: 'advance_queue' },
      ],
    };
  }
  const known = action.resolvedOutcome ?? action.outcome;
  if (outcome === known) return { next: action, effects: [{ kind: 'acknowledge' }] };
  if (action.outcome !== null && isOpenToReport(action.outcome) && action.resolvedOutcome === null) {
    return {
      next: { ...action, resolvedOutcome: outcome, resolvedAt: now, startedAt: event.startedAt ?? action.startedAt },
      effects: [
        { kind: 'record', note: `a late report of the host resolves ${action.outcome}: ${outcome}` },
        { kind: 'store_result' },
        { kind: 'acknowledge' },
      ],
    };
  }
  return keptApart(action, `the host reports ${outcome} for an action that had ended as ${known ?? 'unknown'}`);
}

function keptApart(action: ActionSnapshot, why: string): Decision {
  return {
    next: action,
    effects: [
      { kind: 'record', note: `${why}; kept apart` },
      { kind: 'keep_result_apart', why },
      { kind: 'acknowledge' },
    ],
  };
}

/**
 * Also of what is queued nobody knows that it was not sent: the database may have been put back, and what it calls queued have been sent after the
 * backup. A report of the host resolves it.
 */
function decideRaised(action: ActionSnapshot, to: number, now: Date): Decision {
  const seen = action.state === 'started' ? 'it started' : 'it may have run';
  const decision = move(action, { state: 'ended', outcome: 'unconfirmed', endedAt: now }, raisedNote(to, seen));
  return { next: decision.next, effects: [...decision.effects, { kind: 'advance_queue' }] };
}

/** What the timeline says of an action that a new epoch ended. */
export function raisedNote(to: number, seen: string): string {
  return `ended here by the new epoch ${to} of commands: ${seen}, and it is not sent again`;
}

function decideSweep(action: ActionSnapshot, now: Date): Decision {
  if (action.state === 'queued') {
    if (now < action.expiresAt) return { next: action, effects: [] };
    return move(
      action,
      { state: 'ended', outcome: 'expired', endedAt: now },
      'expired before it was sent: it did not start',
    );
  }
  const graceMs = resultGraceMs(action.confirmWindowSeconds);
  if (now.getTime() < action.expiresAt.getTime() + graceMs) return { next: action, effects: [] };
  const seen = action.state === 'started' ? 'it started, and' : 'it may have run:';
  const decision = move(
    action,
    { state: 'ended', outcome: 'unconfirmed', endedAt: now },
    `${seen} no result came by ${graceMs / 1000} s after its expiry`,
  );
  return { next: decision.next, effects: [...decision.effects, { kind: 'advance_queue' }] };
}
