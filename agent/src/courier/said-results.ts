import { ActionResult, isResolvable } from '@modfleet/proto';

/** Whether a result of the same request ends for good. */
export function isLastWord(known: ActionResult, later: ActionResult): boolean {
  return !isResolvable(known.outcome) && Buffer.compare(known.requestDigest, later.requestDigest) === 0;
}

/** Byte for byte. */
export function isSame(one: ActionResult, other: ActionResult): boolean {
  return Buffer.compare(ActionResult.encode(one).finish(), ActionResult.encode(other).finish()) === 0;
}
