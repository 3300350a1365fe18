import { Outcome, Verb } from '../gen/modfleet/types/v1/action.ts';

/** How an action can end: all but OUTCOME_UNSPECIFIED. */
export type KnownOutcome = Exclude<Outcome, typeof Outcome.OUTCOME_UNSPECIFIED>;

/** The word for each outcome, as API, CLI, SQL and pages use it. docs/outcomes.md says what each means. */
export const OUTCOME_WORDS = {
  [Outcome.OUTCOME_SUCCEEDED]: 'succeeded',
  [Outcome.OUTCOME_UNCHANGED]: 'unchanged',
  [Outcome.OUTCOME_REFUSED]: 'refused',
  [Outcome.OUTCOME_FAILED]: 'failed',
  [Outcome.OUTCOME_REVERTED]: 'reverted',
  [Outcome.OUTCOME_EXPIRED]: 'expired',
  [Outcome.OUTCOME_CANCELLED]: 'cancelled',
  [Outcome.OUTCOME_INTERRUPTED]: 'interrupted',
  [Outcome.OUTCOME_UNCONFIRMED]: 'unconfirmed',
  [Outcome.OUTCOME_STUCK]: 'stuck',
} as const satisfies Record<KnownOutcome, string>;

/** One of the words above. */
export type OutcomeWord = (typeof OUTCOME_WORDS)[KnownOutcome];

/** All outcome words, in the order of their numbers. */
export const ALL_OUTCOME_WORDS: readonly OutcomeWord[] = Object.values(OUTCOME_WORDS);

/** The word of an outcome; undefined for OUTCOME_UNSPECIFIED and for numbers that this build does not know. */
export function outcomeWord(outcome: number): OutcomeWord | undefined {
  return isKnownOutcome(outcome) ? OUTCOME_WORDS[outcome] : undefined;
}

/** The outcome that a word names; undefined for other words. */
export function outcomeFromWord(word: string): KnownOutcome | undefined {
  return Object.values(Outcome).find(
    (outcome): outcome is KnownOutcome => isKnownOutcome(outcome) && OUTCOME_WORDS[outcome] === word,
  );
}

/** Whether a number from the wire is an outcome that this build knows. */
export function isKnownOutcome(outcome: number): outcome is KnownOutcome {
  return Object.hasOwn(OUTCOME_WORDS, outcome);
}

/** Closed for scheduling: nothing more is sent for the action. */
export function isTerminal(outcome: Outcome): outcome is KnownOutcome {
  return outcome !== Outcome.OUTCOME_UNSPECIFIED;
}

/** Closed, but one later report may still say what happened. */
export function isResolvable(outcome: Outcome): boolean {
  return outcome === Outcome.OUTCOME_UNCONFIRMED || outcome === Outcome.OUTCOME_STUCK;
}

/** Closed for good. */
export function isFinal(outcome: Outcome): boolean {
  return isTerminal(outcome) && !isResolvable(outcome);
}

/** The host is as was asked for. Nothing else ever counts as success. */
export function isSuccess(outcome: Outcome): boolean {
  return outcome === Outcome.OUTCOME_SUCCEEDED || outcome === Outcome.OUTCOME_UNCHANGED;
}

/** What can be asked: all but VERB_UNSPECIFIED. */
export type KnownVerb = Exclude<Verb, typeof Verb.VERB_UNSPECIFIED>;

/** The word for each verb. */
export const VERB_WORDS = {
  [Verb.VERB_LOAD]: 'load',
  [Verb.VERB_UNLOAD]: 'unload',
  [Verb.VERB_RELOAD]: 'reload',
  [Verb.VERB_ENSURE_LOADED]: 'ensure_loaded',
  [Verb.VERB_ENSURE_UNLOADED]: 'ensure_unloaded',
  [Verb.VERB_SET_PARAMETERS]: 'set_parameters',
  [Verb.VERB_RESTORE]: 'restore',
} as const satisfies Record<KnownVerb, string>;

/** One of the words above. */
export type VerbWord = (typeof VERB_WORDS)[KnownVerb];

/** Whether a verb wants the kmod gone. */
export function takesAway(verb: VerbWord): boolean {
  return verb === 'unload' || verb === 'ensure_unloaded';
}

/** Whether a number from the wire is a verb that this build knows. */
export function isKnownVerb(verb: number): verb is KnownVerb {
  return Object.hasOwn(VERB_WORDS, verb);
}

/** The verb that a word names; undefined for other words. */
export function verbFromWord(word: string): KnownVerb | undefined {
  return Object.values(Verb).find((verb): verb is KnownVerb => isKnownVerb(verb) && VERB_WORDS[verb] === word);
}
