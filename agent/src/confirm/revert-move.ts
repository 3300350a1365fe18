import { assertNever } from '@modfleet/proto';
import type { EndedBy, WindowPlan } from './window-plan.ts';
import type { WindowOnDisk } from './window-store.ts';

/** A timer that fires is due, but for the accuracy of two clocks. Ms. */
export const EARLY_MS = 2_000;

/** What was asked for, and when. */
export interface MoveFrame {
  /** Whoever starts the revert for one action's window means no other one. Undefined: whichever is open. */
  readonly actionId: string | undefined;
  readonly by: EndedBy;
  /** Boot time, ms. */
  readonly nowMs: number;
  /** Undefined: it could not be read. */
  readonly bootId: string | undefined;
}

/** What a revert does about what it sees: puts the host back, goes on waiting for the server, looks again later, or ends. */
export type RevertMove =
  | { readonly kind: 'put_back'; readonly plan: WindowPlan; readonly isClaimed: boolean }
  | { readonly kind: 'wait_for_server'; readonly plan: WindowPlan }
  | { readonly kind: 'look_again'; readonly reason: 'not_due' | 'unreadable' }
  | { readonly kind: 'end'; readonly end: 'not_open' | 'damaged' };

/**
 * INVARIANTS
 * - A timer ends its own action's window, and that not before its deadline: an older one that nobody could disarm does nothing to a younger one.
 * - What could not be read is no reason to end.
 *
 * Pure.
 */
export function moveOf(open: WindowOnDisk, frame: MoveFrame): RevertMove {
  switch (open.kind) {
    case 'none':
    case 'kept':
      return NOT_OPEN;
    case 'damaged':
      return { kind: 'end', end: 'damaged' };
    case 'unreadable':
      return { kind: 'look_again', reason: 'unreadable' };
    case 'pending': {
      const { plan } = open;
      if (isOfAnother(plan, frame)) return NOT_OPEN;
      const isEarly = frame.by === 'timer' && isOfThisBoot(plan, frame) && frame.nowMs < plan.deadlineBootMs - EARLY_MS;
      return isEarly ? { kind: 'look_again', reason: 'not_due' } : { kind: 'put_back', plan, isClaimed: false };
    }
    case 'reverting':
      return isOfAnother(open.plan, frame) ? NOT_OPEN : { kind: 'put_back', plan: open.plan, isClaimed: true };
    case 'reverted': {
      const { plan, report } = open;
      // The process that waited for the server may be gone. A reboot has decided for it; who starts this by hand does not wait for a server.
      if (plan === undefined || plan.actionId !== frame.actionId) return NOT_OPEN;
      return report.waitsForServer && isOfThisBoot(plan, frame) ? { kind: 'wait_for_server', plan } : NOT_OPEN;
    }
    default:
      return assertNever(open);
  }
}

const NOT_OPEN: RevertMove = { kind: 'end', end: 'not_open' };

function isOfAnother(plan: WindowPlan, { actionId }: MoveFrame): boolean {
  return actionId !== undefined && plan.actionId !== actionId;
}

function isOfThisBoot(plan: WindowPlan, { bootId }: MoveFrame): boolean {
  return plan.bootId === bootId;
}
