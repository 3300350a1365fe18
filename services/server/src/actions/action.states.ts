import { Outcome, Verb } from '@modfleet/proto';

/** Where an action stands, as far as this server has seen. */
export const ACTION_STATES = ['queued', 'dispatched', 'received', 'started', 'ended'] as const;
export type ActionState = (typeof ACTION_STATES)[number];

/** Outcome words of the API, with their numbers in the contract and in the table `action`. */
export const OUTCOME_NUMBERS = {
  succeeded: Outcome.OUTCOME_SUCCEEDED,
  unchanged: Outcome.OUTCOME_UNCHANGED,
  refused: Outcome.OUTCOME_REFUSED,
  failed: Outcome.OUTCOME_FAILED,
  reverted: Outcome.OUTCOME_REVERTED,
  expired: Outcome.OUTCOME_EXPIRED,
  cancelled: Outcome.OUTCOME_CANCELLED,
  interrupted: Outcome.OUTCOME_INTERRUPTED,
  unconfirmed: Outcome.OUTCOME_UNCONFIRMED,
  stuck: Outcome.OUTCOME_STUCK,
} as const;
export type OutcomeWord = keyof typeof OUTCOME_NUMBERS;
export const OUTCOME_WORDS = Object.keys(OUTCOME_NUMBERS) as readonly OutcomeWord[];

export const VERB_NUMBERS = { load: Verb.VERB_LOAD, unload: Verb.VERB_UNLOAD, reload: Verb.VERB_RELOAD } as const;
export type VerbWord = keyof typeof VERB_NUMBERS;

/** The word of an outcome number; undefined for "not ended" and for numbers of a newer contract. */
export function outcomeWord(outcome: number | null): OutcomeWord | undefined {
  return OUTCOME_WORDS.find((word) => OUTCOME_NUMBERS[word] === outcome);
}

/** The word of a verb number; undefined for a number of a newer contract. */
export function verbWord(verb: number): VerbWord | undefined {
  return (Object.keys(VERB_NUMBERS) as VerbWord[]).find((word) => VERB_NUMBERS[word] === verb);
}

/** Sent to the host and not ended: it counts as the host's one action in flight. */
export const IN_FLIGHT_STATES = ['dispatched', 'received', 'started'] as const satisfies readonly ActionState[];

export function isInFlight(state: ActionState): boolean {
  return (IN_FLIGHT_STATES as readonly ActionState[]).includes(state);
}

export function isEnded(state: ActionState): boolean {
  return state === 'ended';
}

/** Ended for scheduling, but one later report of the host may still say how it really went. */
export function isOpenToReport(outcome: OutcomeWord): boolean {
  return outcome === 'unconfirmed' || outcome === 'stuck';
}

/** Outcomes that a host may report; the others are this server's own words about a host that it did not hear. */
export function isReportable(outcome: OutcomeWord): boolean {
  return outcome !== 'unconfirmed';
}

/** What was asked for is so. */
export function isSuccess(outcome: OutcomeWord | null): boolean {
  return outcome === 'succeeded' || outcome === 'unchanged';
}

/** Nothing began on the host: proven, not assumed. */
export function isProvenNotStarted(outcome: OutcomeWord): boolean {
  return outcome === 'refused' || outcome === 'expired' || outcome === 'cancelled';
}

/**
 * A result may be this late after the expiry before the action is called unconfirmed: a step that began at the last moment may need its whole
 * time limit, and the report a reconnect.
 */
export const RESULT_GRACE_MS = 60_000;

/** Agents keep tombstones until expiry + 24 h; asking an hour less than that never meets a host that has already forgotten. */
export const ASK_AGAIN_MS = 23 * 60 * 60 * 1000;
