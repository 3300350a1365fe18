import { type KnownVerb, VERB_WORDS } from '@modfleet/proto';
import type { RolloutVerb } from './plan/plan.model.ts';
import { rolloutVerb } from './plan/plan.schema.ts';

const NUMBERS = new Map(Object.entries(VERB_WORDS).map(([number, word]) => [word, Number(number) as KnownVerb]));

/** Number of a verb in the contract. */
export function verbNumber(verb: RolloutVerb): KnownVerb {
  const number = NUMBERS.get(verb);
  if (number === undefined) throw new Error(`the contract has no verb ${verb}`);
  return number;
}

/** The word of a stored verb. @throws Error for one that no rollout has. */
export function rolloutVerbOf(number: number): RolloutVerb {
  const verb = rolloutVerb.options.find((word) => verbNumber(word) === number);
  if (verb === undefined) throw new Error(`no rollout has the verb ${number}; was the server downgraded?`);
  return verb;
}
