import {
  type ActionRequest,
  assertNever,
  canonicalKmodName,
  CONFIRM_WINDOW_MAX_S,
  CONFIRM_WINDOW_MIN_S,
  isConfirmWindow,
  isKnownVerb,
  isOverride,
  isUndoKind,
  type KnownVerb,
  UNDO_STEPS_MAX,
  type UndoStep,
  Verb,
} from '@modfleet/proto';
import { messageOf } from '../../error-words.ts';
import type { Question } from './facts.ts';
import { PARAMETER, splitParameter } from './parameters.ts';

/** What every question of one action has in common. */
type Frame = Omit<Question, 'verb' | 'kmod' | 'parameters'>;

/**
 * The questions in a request, in the order in which their steps run, or why there are none. A server checks all this; a host does not rely on it. Pure.
 *
 * Kernel first, then what the next boot does, where something is to come; the other way round where it is to go: whatever ends in the middle leaves a
 * host that does not load at boot what was not seen to load. Inside a confirm window nothing lasting happens before the confirm, so it comes last.
 */
export function questionsOf(request: ActionRequest, hostId: string | undefined): readonly Question[] | string {
  const { verb, kmod, parameters } = request;
  if (hostId !== undefined && request.hostId !== hostId)
    return `this action is meant for host ${request.hostId}, and this is ${hostId}`;
  if (!isKnownVerb(verb)) return `verb ${String(verb)} is not known to this agent`;
  const complaint =
    complaintAboutName(kmod) ??
    complaintAboutParameters(parameters) ??
    complaintAboutVerb(verb, request) ??
    complaintAboutWindow(request);
  if (complaint !== undefined) return complaint;
  const { dryRun, confirmWindowSeconds, overrides } = request;
  return inOrder(verb, request, { dryRun, confirmWindowSeconds, overrides: overrides.filter(isOverride) });
}

function inOrder(verb: KnownVerb, { kmod, parameters, undo }: ActionRequest, frame: Frame): Question[] {
  const one = (asked: Question['verb'], given: readonly string[] = []): Question => ({
    verb: asked,
    kmod,
    parameters: given,
    ...frame,
  });
  switch (verb) {
    case Verb.VERB_LOAD:
    case Verb.VERB_UNLOAD:
    case Verb.VERB_RELOAD:
    case Verb.VERB_SET_PARAMETERS:
      return [one(verb, parameters)];
    case Verb.VERB_ENSURE_LOADED:
      return [one(Verb.VERB_LOAD, parameters), one('persist')];
    case Verb.VERB_ENSURE_UNLOADED:
      return lastingLast([one('unpersist'), one(Verb.VERB_UNLOAD)], frame);
    case Verb.VERB_RESTORE:
      return lastingLast(
        undo.map((step) => ({ ...frame, ...undone(step) })),
        frame,
      );
    default:
      return assertNever(verb);
  }
}

function lastingLast(questions: readonly Question[], { confirmWindowSeconds }: Frame): Question[] {
  const isLasting = ({ verb }: Question): boolean => verb === 'persist' || verb === 'unpersist';
  if (confirmWindowSeconds === 0) return [...questions];
  return [...questions.filter((one) => !isLasting(one)), ...questions.filter(isLasting)];
}

function undone({ kind, kmod, parameters }: UndoStep): Pick<Question, 'verb' | 'kmod' | 'parameters' | 'recorded'> {
  if (!isUndoKind(kind)) throw new Error(`undo step ${kind} was checked`);
  switch (kind) {
    case 'load':
      return { verb: Verb.VERB_LOAD, kmod, parameters, recorded: true };
    case 'unload':
      return { verb: Verb.VERB_UNLOAD, kmod, parameters: [] };
    case 'set_parameters':
      return { verb: Verb.VERB_SET_PARAMETERS, kmod, parameters };
    case 'persist':
    case 'unpersist':
      return { verb: kind, kmod, parameters: [] };
    default:
      return assertNever(kind);
  }
}

function complaintAboutName(kmod: string): string | undefined {
  try {
    return canonicalKmodName(kmod) === kmod ? undefined : `${JSON.stringify(kmod)} is not in canonical form`;
  } catch (error) {
    return messageOf(error);
  }
}

function complaintAboutParameters(parameters: readonly string[]): string | undefined {
  const bad = parameters.find((parameter) => !PARAMETER.test(parameter));
  if (bad !== undefined) return `${JSON.stringify(bad)} is no parameter: name=value without white space and quotes`;
  const names = parameters.map((parameter) => splitParameter(parameter).name);
  return new Set(names).size === names.length ? undefined : 'a parameter is given twice';
}

function complaintAboutVerb(verb: KnownVerb, { parameters, undo }: ActionRequest): string | undefined {
  if (undo.length > 0 && verb !== Verb.VERB_RESTORE) return 'only a restore has undo steps';
  switch (verb) {
    case Verb.VERB_UNLOAD:
    case Verb.VERB_ENSURE_UNLOADED:
      return parameters.length === 0 ? undefined : 'an unload takes no parameters';
    case Verb.VERB_SET_PARAMETERS:
      return parameters.length > 0 ? undefined : 'there are no parameters to set';
    case Verb.VERB_RESTORE:
      if (parameters.length > 0) return 'a restore has its parameters in its undo steps';
      if (undo.length === 0) return 'there are no undo steps';
      if (undo.length > UNDO_STEPS_MAX) return `a restore has at most ${UNDO_STEPS_MAX} undo steps`;
      return undo.map(complaintAboutUndo).find((one) => one !== undefined);
    case Verb.VERB_LOAD:
    case Verb.VERB_RELOAD:
    case Verb.VERB_ENSURE_LOADED:
      return undefined;
    default:
      return assertNever(verb);
  }
}

function complaintAboutUndo({ kind, kmod, parameters }: UndoStep): string | undefined {
  if (!isUndoKind(kind)) return `undo step ${JSON.stringify(kind)} is not known to this agent`;
  if (kind !== 'load' && kind !== 'set_parameters' && parameters.length > 0)
    return `undo step ${kind} takes no parameters`;
  if (kind === 'set_parameters' && parameters.length === 0) return 'there are no parameters to set';
  return complaintAboutName(kmod) ?? complaintAboutParameters(parameters);
}

function complaintAboutWindow({ confirmWindowSeconds, overrides }: ActionRequest): string | undefined {
  if (confirmWindowSeconds !== 0 && !isConfirmWindow(confirmWindowSeconds))
    return `a confirm window has ${CONFIRM_WINDOW_MIN_S} to ${CONFIRM_WINDOW_MAX_S} seconds, not ${confirmWindowSeconds}`;
  const unknown = overrides.find((word) => !isOverride(word));
  return unknown === undefined
    ? undefined
    : `override ${JSON.stringify(unknown)} is not known to this agent; nothing but the route can be set aside`;
}
