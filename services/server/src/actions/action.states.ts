import { isResolvable, outcomeFromWord, Outcome, type OutcomeWord } from '@modfleet/proto';

/** Where an action stands, as far as this server has seen. */
export const ACTION_STATES = ['queued', 'dispatched', 'received', 'started', 'ended'] as const;
export type ActionState = (typeof ACTION_STATES)[number];

/** Sent to the host and not ended: it counts as the host's one action in flight. */
export const IN_FLIGHT_STATES = ['dispatched', 'received', 'started'] as const satisfies readonly ActionState[];

export function isInFlight(state: ActionState): boolean {
  return (IN_FLIGHT_STATES as readonly ActionState[]).includes(state);
}

export function isEnded(state: ActionState): boolean {
  return state === 'ended';
}

/** Number of an outcome word, as the contract and the table `action` have it. */
export function outcomeNumber(word: OutcomeWord): Outcome {
  return outcomeFromWord(word) ?? Outcome.OUTCOME_UNSPECIFIED;
}

/** Ended for scheduling, but one later report of the host may still say how it really went. */
export function isOpenToReport(outcome: OutcomeWord): boolean {
  return isResolvable(outcomeNumber(outcome));
}

/** Outcomes that a host may report. `unconfirmed` is this server's own word for not having heard. */
export function isReportable(outcome: OutcomeWord): boolean {
  return outcome !== 'unconfirmed';
}

/**
 * A result may be this late after the expiry before the action is called unconfirmed: a step that began at the last moment may need its whole
 * time limit, and the report a reconnect.
 */
export const RESULT_GRACE_MS = 60_000;

/**
 * What a revert may take after its window's deadline before the action is called unconfirmed: kmods, devices, leases, and a host that reboots to
 * decide it.
 */
const REVERT_ROOM_MS = 120_000;

/** How long after its expiry a result may come: steps, report, and with a confirm window that and the revert. */
export function resultGraceMs(confirmWindowSeconds: number): number {
  return confirmWindowSeconds === 0 ? RESULT_GRACE_MS : RESULT_GRACE_MS + confirmWindowSeconds * 1000 + REVERT_ROOM_MS;
}

/** Agents keep tombstones until expiry + 24 h; asking an hour less than that never meets a host that has already forgotten. */
export const ASK_AGAIN_MS = 23 * 60 * 60 * 1000;
