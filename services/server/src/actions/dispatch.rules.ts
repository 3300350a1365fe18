import { ASK_AGAIN_MS, isEnded, isInFlight, resultGraceMs } from './action.states.ts';
import type { ActionSnapshot } from './action.machine.ts';

/*
 * Who is sent what, and when, as pure functions: the dispatcher and the intake follow them. `nextToSend` and `pendingOf` are said once more as SQL
 * (dispatch.queries.ts), where locks make them hold between replicas; dispatch-rules.itest.ts holds both to the same answers.
 */

/** What dispatch looks at of an action. */
export interface DispatchRow extends ActionSnapshot {
  readonly id: string;
  readonly createdAt: Date;
  /** Of its command; 0: accepted before commands were signed. */
  readonly epoch: number;
}

/** What dispatch looks at beside the actions of the host. */
export interface DispatchGround {
  /** Postgres's time. */
  readonly now: Date;
  /** A freeze holds, or commands are stopped. */
  readonly frozen: boolean;
  /** Of the commands that are sent now. */
  readonly epoch: number;
  /** The host is neither retired, revoked nor quarantined, and its session is held here. */
  readonly hostReady: boolean;
}

/** An action that a host which has just connected is told of, one way or another. */
export interface PendingAction {
  readonly id: string;
  /** Never sent. */
  readonly queued: boolean;
  readonly cancelRequested: boolean;
  readonly pastExpiry: boolean;
  readonly frozen: boolean;
}

/** The one action of this host that may be sent now. */
export function nextToSend(
  rows: readonly DispatchRow[],
  { now, frozen, hostReady, epoch }: DispatchGround,
): string | undefined {
  if (frozen || !hostReady || rows.some((row) => isInFlight(row.state))) return undefined;
  return inOrder(rows).find((row) => row.state === 'queued' && row.expiresAt > now && isOf(row, epoch))?.id;
}

/** Commands of an older epoch are not sent any more; what was accepted before commands had one still is. */
function isOf(row: DispatchRow, epoch: number): boolean {
  return row.epoch === epoch || row.epoch === 0;
}

/** What waits, what was sent and did not end, and what was called unconfirmed while the host still remembers it. */
export function pendingOf(
  rows: readonly DispatchRow[],
  { now, frozen, hostReady, epoch }: DispatchGround,
): PendingAction[] {
  if (!hostReady) return [];
  const remembered = (row: DispatchRow): boolean =>
    row.outcome === 'unconfirmed' &&
    row.resolvedOutcome === null &&
    row.expiresAt.getTime() > now.getTime() - ASK_AGAIN_MS;
  return inOrder(rows)
    .filter((row) => isOf(row, epoch) && (!isEnded(row.state) || remembered(row)))
    .map((row) => ({
      id: row.id,
      queued: row.state === 'queued',
      cancelRequested: row.cancelRequestedAt !== null,
      pastExpiry: row.expiresAt <= now,
      frozen,
    }));
}

/** What a host that has just connected is told. */
export interface SayAgain {
  /** Nothing may be said now: a freeze holds. It is owed. */
  readonly owed: boolean;
  /** In this order. */
  readonly say: readonly { readonly kind: 'request' | 'cancel'; readonly id: string }[];
  /** Something was never sent: the queue may move. */
  readonly thenNext: boolean;
}

/** An action whose cancel was asked for is not sent again before its expiry, only its cancel is: nothing starts by being asked to stop. */
export function sayAgain(pending: readonly PendingAction[]): SayAgain {
  if (pending.some((action) => action.frozen)) return { owed: true, say: [], thenNext: false };
  const say = pending
    .filter((action) => !action.queued)
    .map(({ id, cancelRequested, pastExpiry }) => ({
      kind: cancelRequested && !pastExpiry ? ('cancel' as const) : ('request' as const),
      id,
    }));
  return { owed: false, say, thenNext: pending.some((action) => action.queued) };
}

/** Why a report is none of this action, as it is known here; undefined when it is. `about` asks whether it is about the same request. */
export function whyApart(
  known: { readonly hostId: string } | undefined,
  hostId: string,
  about: () => boolean,
): string | undefined {
  if (known === undefined) return 'no such action';
  if (known.hostId !== hostId) return 'an action of another host';
  return about() ? undefined : 'the report is about another request under the same id';
}

/** When the sweep has to look at an action next; null when never. */
export function nextSweep(action: Pick<ActionSnapshot, 'state' | 'expiresAt' | 'confirmWindowSeconds'>): Date | null {
  if (action.state === 'queued') return action.expiresAt;
  return isInFlight(action.state)
    ? new Date(action.expiresAt.getTime() + resultGraceMs(action.confirmWindowSeconds))
    : null;
}

function inOrder(rows: readonly DispatchRow[]): DispatchRow[] {
  return [...rows].sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || (a.id < b.id ? -1 : 1));
}
