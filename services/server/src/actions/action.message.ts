import { assertNever, type OutcomeWord, splitPaths, takesAway, type VerbWord } from '@modfleet/proto';
import { RIGHT_WITHDRAWN } from './action.machine.ts';
import type { StoredAction } from './action.model.ts';
import { resultGraceMs } from './action.states.ts';

/** What a sentence about an action needs to know. */
export type Described = Pick<
  StoredAction,
  | 'state'
  | 'outcome'
  | 'resolvedOutcome'
  | 'verb'
  | 'kmod'
  | 'hostName'
  | 'hostConnected'
  | 'dryRun'
  | 'expiresAt'
  | 'endedAt'
  | 'cancelRequestedAt'
  | 'cancelledBy'
  | 'hostMessage'
  | 'verdict'
  | 'result'
  | 'confirmWindowSeconds'
  | 'confirmDeadline'
  | 'confirmOfferedAt'
>;

/**
 * One sentence for people. It never says more than was seen: sent is not done, unloaded is not blocked, and what the host did not report is
 * called unknown.
 */
export function describe(action: Described): string {
  const { hostName: host } = action;
  switch (action.state) {
    case 'queued':
      return action.hostConnected
        ? `Not sent yet; ${host} is connected. Dropped if not sent by ${clock(action.expiresAt)}.`
        : `Not sent: ${host} is not connected. Dropped if that does not change by ${clock(action.expiresAt)}.`;
    case 'dispatched':
      return `Sent to ${host}, not yet confirmed.${asked(action)}`;
    case 'received':
      return `${host} has it; not started yet.${asked(action)}`;
    case 'started':
      return `Started on ${host}; not finished yet.${confirmWords(action)}${asked(action)}`;
    case 'ended':
      return ended(action);
    default:
      return assertNever(action.state);
  }
}

/** The unload is done, as far as one host can say, and something could load the kmod again, or nobody knows whether something could. */
export function canReturn(
  action: Pick<Described, 'verb' | 'dryRun' | 'outcome' | 'resolvedOutcome' | 'result'>,
): boolean {
  const outcome = action.resolvedOutcome ?? action.outcome;
  if (!takesAway(action.verb) || action.dryRun) return false;
  return (outcome === 'succeeded' || outcome === 'unchanged') && (action.result?.reloadPaths.length ?? 0) > 0;
}

function ended(action: Described): string {
  if (action.outcome === null) throw new Error('an ended action has an outcome');
  const said = `${sentence(action, action.outcome)}${wayBack(action)}`;
  if (action.resolvedOutcome === null) return said;
  return `First ${action.outcome}; a later report of ${action.hostName} says: ${sentence(action, action.resolvedOutcome)}${wayBack(action)}`;
}

function sentence(action: Described, outcome: OutcomeWord): string {
  const { hostName: host, kmod } = action;
  switch (outcome) {
    case 'succeeded':
      if (action.dryRun) return `Dry run on ${host}: it would be done; nothing was touched.`;
      return `${done(action.verb, kmod)} on ${host}, ${SEEN[action.verb]}.`;
    case 'unchanged':
      if (action.dryRun) return `Dry run on ${host}: nothing would change. Nothing was touched.`;
      return `Nothing to do: ${already(action.verb, kmod)} on ${host}.`;
    case 'refused':
      if (onlySetUp(action))
        return `Dry run on ${host}: refused as the host is set up, and for nothing else${because(action)}`;
      return `Refused by ${host}, nothing was touched${because(action)}`;
    case 'failed':
      return `Failed on ${host}${because(action)}`;
    case 'reverted':
      return `Done on ${host} and then undone by its confirm window${because(action)}`;
    case 'expired':
      return `Expired: it did not start on ${host} by ${clock(action.expiresAt)}.`;
    case 'cancelled':
      if (action.cancelledBy === RIGHT_WITHDRAWN)
        return `Cancelled before it started on ${host}: who asked for it has lost the right to (right_withdrawn).`;
      return `Cancelled${action.cancelledBy === null ? '' : ` by ${action.cancelledBy}`} before it started on ${host}.`;
    case 'interrupted':
      return `Interrupted: the agent of ${host} ended in the middle, and what happened cannot be told${because(action)}`;
    case 'unconfirmed':
      return `Unconfirmed: ${endedByEpoch(action) ? `a new epoch of commands ended it before a result of ${host} was known here, and it is not sent again` : `it was sent to ${host} and no result came`}. It may have run; look at ${kmod} on the host.`;
    case 'stuck':
      return `Stuck: a routine of ${kmod} does not return on ${host}. It needs a reboot; do not try again before.`;
    default:
      return assertNever(outcome);
  }
}

/** Nothing else ends an action as unconfirmed before its time is over. */
function endedByEpoch({ endedAt, expiresAt, confirmWindowSeconds }: Described): boolean {
  return endedAt !== null && endedAt.getTime() < expiresAt.getTime() + resultGraceMs(confirmWindowSeconds);
}

/** A dry run with a plan that is refused: the agent is in mode observe, or has no right to do it. */
function onlySetUp(action: Described): boolean {
  return action.dryRun && (action.verdict?.plan.length ?? 0) > 0;
}

function done(verb: VerbWord, kmod: string): string {
  switch (verb) {
    case 'load':
      return `${kmod} is loaded`;
    case 'unload':
      return `${kmod} is unloaded`;
    case 'reload':
      return `${kmod} is loaded again`;
    case 'ensure_loaded':
      return `${kmod} is loaded, and listed to load at boot,`;
    case 'ensure_unloaded':
      return `${kmod} is unloaded, and no file of modfleet lists it to load at boot`;
    case 'set_parameters':
      return `The parameters of ${kmod} are set`;
    case 'restore':
      return `What an earlier action changed of ${kmod} is put back`;
    default:
      return assertNever(verb);
  }
}

/** How a host knows. */
const SEEN = {
  load: 'seen in /proc/modules',
  unload: 'seen in /proc/modules',
  reload: 'seen in /proc/modules',
  ensure_loaded: 'seen in /proc/modules and /etc/modules-load.d',
  ensure_unloaded: 'seen in /proc/modules and /etc/modules-load.d',
  set_parameters: 'read back from /sys/module',
  restore: 'each step seen by the host',
} as const satisfies Record<VerbWord, string>;

function already(verb: VerbWord, kmod: string): string {
  switch (verb) {
    case 'load':
    case 'reload':
      return `${kmod} was already loaded`;
    case 'unload':
      return `${kmod} was not loaded`;
    case 'ensure_loaded':
      return `${kmod} was already loaded, and listed to load at boot,`;
    case 'ensure_unloaded':
      return `${kmod} was not loaded, and no file of modfleet lists it to load at boot,`;
    case 'set_parameters':
      return `the parameters of ${kmod} already had these values`;
    case 'restore':
      return `all of it was already as before`;
    default:
      return assertNever(verb);
  }
}

function because(action: Described): string {
  const reason = action.hostMessage || action.verdict?.findings.find((finding) => finding.refuses)?.message;
  return reason ? `: ${reason.replace(/\.$/, '')}.` : '.';
}

function wayBack(action: Described): string {
  if (!canReturn(action)) return '';
  const { seen, unknown } = splitPaths(action.result?.reloadPaths ?? []);
  const [first] = seen;
  if (first === undefined) return ` Whether it can return is not known: ${unknown.join('; ')}.`;
  const more = seen.length > 1 ? ` and ${seen.length - 1} more` : '';
  return ` It can return: ${first.kind} ${first.value}${more}.`;
}

function confirmWords({ confirmDeadline, confirmOfferedAt, hostName }: Described): string {
  if (confirmOfferedAt !== null) return ` The confirm was given; not kept before ${hostName} says so.`;
  return confirmDeadline === null ? '' : ` It puts itself back unless it can confirm by ${clock(confirmDeadline)}.`;
}

function asked(action: Described): string {
  if (action.cancelledBy === RIGHT_WITHDRAWN)
    return ` It is asked back: who asked for it has lost the right to; ${action.hostName} has not answered that.`;
  return action.cancelRequestedAt === null
    ? ''
    : ` ${action.cancelledBy ?? 'Somebody'} asked to cancel it; ${action.hostName} has not answered that.`;
}

/** Time of day and date in UTC, to the second. */
function clock(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
