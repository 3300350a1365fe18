import { verbFromWord, type VerbWord } from '@modfleet/proto';
import type { RolloutVerb } from './plan/plan.model.ts';
import { rolloutVerb } from './plan/plan.schema.ts';

/** Number of a verb in the contract; undefined for one that the contract of this build does not have. */
export function verbNumber(verb: RolloutVerb): number | undefined {
  return verbFromWord(verb);
}

/** Whether hosts can be asked for it: the contract of this build has it. */
export function isContractVerb(verb: RolloutVerb): verb is RolloutVerb & VerbWord {
  return verbNumber(verb) !== undefined;
}

/** The word of a stored verb. @throws Error for one that no rollout has. */
export function rolloutVerbOf(number: number): RolloutVerb {
  const verb = rolloutVerb.options.find((word) => verbNumber(word) === number);
  if (verb === undefined) throw new Error(`no rollout has the verb ${number}; was the server downgraded?`);
  return verb;
}
