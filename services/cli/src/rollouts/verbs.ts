import type { RolloutVerbWord } from '@modfleet/server/api-types';
import { closest } from '../command-line/closest.ts';
import { usageError } from '../errors/cli-error.ts';
import { assertNever } from '../output/assert-never.ts';

/** Verbs as they are typed; the API has "_" for "-". */
export const VERBS = ['load', 'unload', 'reload', 'set-parameters', 'ensure-loaded', 'ensure-unloaded'] as const;

/** A verb as typed, in the API's spelling. @param where "VERB" of the command, or a key of a file. */
export function rolloutVerb(where: string, text: string): RolloutVerbWord {
  const word = VERBS.find((verb) => verb === text.replaceAll('_', '-'));
  if (word !== undefined) return word.replace('-', '_') as RolloutVerbWord;
  const meant = closest(text, VERBS);
  throw usageError(
    `${where} takes one of ${VERBS.join(', ')}; not ${JSON.stringify(text.slice(0, 32))}`,
    ...(meant === undefined ? [] : [`did you mean ${meant}?`]),
  );
}

/** As it is typed: "set-parameters". */
export function typedVerb(verb: RolloutVerbWord): string {
  return verb.replace('_', '-');
}

/** What is asked for: "unload floppy", "ensure floppy is loaded". */
export function task({ verb, kmod }: { readonly verb: RolloutVerbWord; readonly kmod: string }): string {
  switch (verb) {
    case 'load':
    case 'unload':
    case 'reload':
      return `${verb} ${kmod}`;
    case 'set_parameters':
      return `set parameters of ${kmod}`;
    case 'ensure_loaded':
      return `ensure ${kmod} is loaded`;
    case 'ensure_unloaded':
      return `ensure ${kmod} is unloaded`;
    default:
      return assertNever(verb);
  }
}

/** True of what takes a kmod away: what can bring it back has to be told. */
export function takesAway(verb: RolloutVerbWord): boolean {
  return verb === 'unload' || verb === 'ensure_unloaded';
}

/** What a host is that is as asked: "unloaded", "parameters set". */
export function asAskedWord(verb: RolloutVerbWord): string {
  switch (verb) {
    case 'load':
    case 'ensure_loaded':
      return 'loaded';
    case 'unload':
    case 'ensure_unloaded':
      return 'unloaded';
    case 'reload':
      return 'reloaded';
    case 'set_parameters':
      return 'parameters set';
    default:
      return assertNever(verb);
  }
}
