import type { CreatePlanBody, RolloutVerbWord } from '@modfleet/server/api-types';
import { usageError } from '../../errors/cli-error.ts';
import { typedVerb } from '../verbs.ts';

/** What a plan is asked for; times in seconds. */
export interface PlanParts {
  readonly verb: RolloutVerbWord;
  readonly kmod: string;
  readonly selector?: string | undefined;
  readonly all?: boolean | undefined;
  readonly hosts?: readonly string[] | undefined;
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  readonly confirmWindow?: number | undefined;
  readonly overrides?: readonly 'route'[] | undefined;
  readonly answerWithin?: number | undefined;
  readonly reason?: string | undefined;
}

/** How the parts are called where they were written. */
export interface PartWords {
  readonly selector: string;
  readonly all: string;
  readonly hosts: string;
  readonly parameters: string;
  readonly confirmWindow: string;
  readonly overrides: string;
}

export const OPTION_WORDS: PartWords = {
  selector: '-l SELECTOR',
  all: '--all',
  hosts: '--host HOST',
  parameters: '--param',
  confirmWindow: '--confirm-window',
  overrides: '--override',
};

/** The body of the request. @throws CliError 2 when the parts do not go together. */
export function planBody(parts: PlanParts, words: PartWords): CreatePlanBody {
  const { verb, kmod, selector, hosts, parameters, confirmWindow, overrides, answerWithin, reason } = parts;
  const ways = `${words.selector}, ${words.hosts} or ${words.all}`;
  const target = [selector !== undefined, parts.all === true, hosts !== undefined].filter(Boolean).length;
  if (target === 0) throw usageError('say which hosts are meant', `in one of these ways: ${ways}`);
  if (target > 1) throw usageError('the hosts are named in more than one way', `take one of: ${ways}`);
  if (verb === 'set_parameters' && Object.keys(parameters ?? {}).length === 0)
    throw usageError(`set-parameters needs at least one parameter: ${words.parameters}`);
  if ((verb === 'unload' || verb === 'ensure_unloaded') && parameters !== undefined)
    throw usageError(`${typedVerb(verb)} takes no parameters: leave out ${words.parameters}`);
  if (overrides !== undefined && overrides.length > 0 && confirmWindow === undefined)
    throw usageError(
      `${words.overrides} needs ${words.confirmWindow}: without one a host could not come back by itself`,
    );
  return {
    verb,
    kmod,
    ...(selector === undefined ? {} : { selector }),
    ...(parts.all === true ? { all: true as const } : {}),
    ...(hosts === undefined ? {} : { hosts: [...new Set(hosts)] }),
    ...(parameters === undefined ? {} : { parameters: { ...parameters } }),
    ...(confirmWindow === undefined ? {} : { confirmWindow }),
    ...(overrides === undefined || overrides.length === 0 ? {} : { overrides: [...overrides] }),
    ...(answerWithin === undefined ? {} : { answerWithin }),
    ...(reason === undefined ? {} : { reason }),
  };
}
