import type { Action, ActionItem, OutcomeWord } from '@modfleet/server/api-types';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { assertNever } from '../output/assert-never.ts';
import { isReturnSeen } from './ways-back.ts';

/** An action as it comes: alone, in a list, or in an event. */
export type AnyAction = Action | ActionItem;

/** What became of it: one late report may have resolved an outcome that was not final. */
export function finalOutcome(action: AnyAction): OutcomeWord | null {
  return action.resolvedOutcome ?? action.outcome;
}

/** True when nothing more is to be expected. */
export function isEnded(action: AnyAction): boolean {
  return action.state === 'ended';
}

/** 0 only when what was asked for is known to be so (or, in a dry run, would be allowed). */
export function exitOfAction(action: AnyAction): ExitCode {
  const outcome = finalOutcome(action);
  if (action.dryRun && action.verdict?.allowed === false) return EXIT.negative;
  return outcome === 'succeeded' || outcome === 'unchanged' ? EXIT.ok : EXIT.negative;
}

/** What alone a dry run is refused for: the agent's mode `observe`, or what its process may not do. It has a plan then, which no other refusal has. */
export function standsInTheWay(action: AnyAction): string | undefined {
  const { verdict } = action;
  return action.dryRun && verdict !== null && !verdict.allowed && verdict.plan.length > 0
    ? verdict.decidedBy
    : undefined;
}

/** How good or bad it is, for colour only. */
export function tone(outcome: OutcomeWord | null): 'good' | 'bad' | 'unsure' {
  switch (outcome) {
    case 'succeeded':
    case 'unchanged':
      return 'good';
    case null:
    case 'unconfirmed':
    case 'interrupted':
    case 'expired':
    case 'cancelled':
      return 'unsure';
    case 'refused':
    case 'failed':
    case 'reverted':
    case 'stuck':
      return 'bad';
    default:
      return assertNever(outcome);
  }
}

/** The headline of an action: never says more than was seen. */
export function actionHeadline(action: AnyAction): string {
  const what = `${action.verb} ${action.kmod} on ${action.host.name}`;
  if (!isEnded(action)) return `${stateWord(action)}: ${action.dryRun ? 'dry run of ' : ''}${what}`;
  const outcome = finalOutcome(action);
  if (action.dryRun) return dryRunHeadline(action, what);
  const late =
    action.resolvedOutcome !== null && action.outcome !== null ? ` (first counted as ${action.outcome})` : '';
  return `${outcomeHeadline(action, outcome, what)}${late}`;
}

function dryRunHeadline(action: AnyAction, what: string): string {
  const { verdict } = action;
  if (verdict === null) return `No verdict (${finalOutcome(action) ?? 'no outcome'}): dry run of ${what}`;
  const denied = standsInTheWay(action);
  if (denied !== undefined)
    return `Would be refused as the host is set up (${denied}); apart from that it could run: ${what}`;
  if (!verdict.allowed) return `Would be refused (${verdict.decidedBy}): ${what}`;
  if (verdict.decidedBy === 'unchanged' || verdict.plan.length === 0) return `Nothing to do: ${what}`;
  return `Would run: ${what}`;
}

function outcomeHeadline(action: AnyAction, outcome: OutcomeWord | null, what: string): string {
  const on = `${action.kmod} on ${action.host.name}`;
  switch (outcome) {
    case 'succeeded':
      return succeeded(action, on);
    case 'unchanged':
      return action.verb === 'unload' ? `Unchanged: ${on} was not loaded` : `Unchanged: ${on} was loaded already`;
    case 'refused':
      return `Refused${action.verdict ? ` (${action.verdict.decidedBy})` : ''}: ${what}. Nothing was touched`;
    case 'failed':
      return `Failed${action.result?.reasonCode ? ` (${action.result.reasonCode})` : ''}: ${what}`;
    case 'reverted':
      return `Reverted: ${what} was done, then undone by the host`;
    case 'expired':
      return `Expired: ${what} did not start in time. Nothing was touched`;
    case 'cancelled':
      return `Cancelled: ${what} did not start. Nothing was touched`;
    case 'interrupted':
      return `Interrupted: the agent stopped during ${what}, and what the kernel shows cannot tell how far it came`;
    case 'unconfirmed':
      return `Not known: ${what} was sent and no result came. It may have run`;
    case 'stuck':
      return `Stuck: ${what} does not return. The host needs a reboot`;
    case null:
      return `Ended without an outcome: ${what}`;
    default:
      return assertNever(outcome);
  }
}

function succeeded(action: AnyAction, on: string): string {
  switch (action.verb) {
    case 'load':
      return `Loaded: ${on}`;
    case 'reload':
      return `Reloaded: ${on}`;
    case 'unload':
      if (!action.canReturn) return `Unloaded: ${on}. No way back was found; by hand one can always load it`;
      return isReturnSeen(action)
        ? `Unloaded, can return: ${on}`
        : `Unloaded: ${on}. Whether it can return is not known`;
    case 'ensure_loaded':
      return `Loaded, and at boot: ${on}`;
    case 'ensure_unloaded':
      return `Unloaded, and not listed by modfleet to load at boot${action.canReturn ? ', can return' : ''}: ${on}`;
    case 'set_parameters':
      return `Parameters set: ${on}`;
    case 'restore':
      return `Put back: ${on}`;
    default:
      return assertNever(action.verb);
  }
}

function stateWord(action: AnyAction): string {
  switch (action.state) {
    case 'queued':
      return 'Waiting for the host';
    case 'dispatched':
      return 'Sent, not yet received';
    case 'received':
      return 'Received by the host';
    case 'started':
      return 'Running';
    case 'ended':
      return 'Ended';
    default:
      return assertNever(action.state);
  }
}
