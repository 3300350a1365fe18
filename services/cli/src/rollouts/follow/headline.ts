import type { Rollout } from '@modfleet/server/api-types';
import { assertNever } from '../../output/assert-never.ts';
import { count, list, sentence } from '../../output/words.ts';
import { asAskedWord, takesAway, task } from '../verbs.ts';
import { type AnyRollout, isEnded, otherEnds, tally } from './tally.ts';

/** That the fleet is frozen, without a full stop. */
export function freezeSentence({ by, reason }: NonNullable<Rollout['freeze']>): string {
  return `The fleet is frozen by ${by}: ${reason}. Nothing is sent until it is thawed: modfleet thaw`;
}

/** How a rollout stands, in a sentence without its full stop. INVARIANT: never more than was seen: what is not known is told as such. */
export function rolloutHeadline(rollout: AnyRollout): string {
  const what = task(rollout);
  const hosts = count(rollout.counts.total, 'host');
  switch (rollout.state) {
    case 'awaiting_approval':
      return `Awaiting approval: ${what} on ${hosts}. Nothing is sent before`;
    case 'running':
      return `${sentence(running(rollout))}${waveWords(rollout)}: ${what}, ${soFar(rollout)}`;
    case 'paused':
      return `Paused${waveWords(rollout)}: ${what}, ${soFar(rollout)}`;
    case 'aborting':
      return `Aborting: ${what}, ${soFar(rollout)}. Nothing more is sent`;
    case 'rolling_back':
      return `Rolling back: ${what}, ${backWords(rollout)}`;
    case 'rolled_back':
      return `Rolled back: ${what}, ${backWords(rollout)}`;
    case 'succeeded':
      return succeeded(rollout);
    case 'failed':
      // After a roll back what hosts were before it is no news.
      return `Failed: ${what}, ${rollout.rollback === null ? soFar(rollout) : backWords(rollout)}`;
    case 'aborted':
      return `Aborted: ${what}, ${soFar(rollout)}`;
    default:
      return assertNever(rollout.state);
  }
}

function running(rollout: AnyRollout): string {
  const wave = rollout.waves.find((each) => each.wave === rollout.wave);
  return wave?.state === 'baking' ? 'baking' : 'running';
}

/** ", wave 1 of 2": by their numbers, from 0, as the timeline has them. */
function waveWords({ wave, waves }: AnyRollout): string {
  return waves.length < 2 ? '' : `, wave ${wave} of ${waves.length - 1}`;
}

/** "12 of 40 hosts as asked, can return on 9 of them; 1 failed, 3 under way, 24 to come". */
export function soFar(rollout: AnyRollout): string {
  const { total, asAsked, underWay, waiting, pending } = tally(rollout.counts);
  const rest = [
    ...otherEnds(rollout.counts),
    ...(underWay > 0 ? [`${underWay} under way`] : []),
    ...(waiting > 0 ? [`${waiting} waiting`] : []),
    ...(pending > 0 && !isEnded(rollout) ? [`${pending} to come`] : []),
    ...(rollout.counts.unhealthy > 0 ? [`${rollout.counts.unhealthy} not healthy afterwards`] : []),
  ];
  const back = takesAway(rollout.verb) && rollout.canReturn > 0 ? `, can return on ${rollout.canReturn} of them` : '';
  return `${asAsked} of ${count(total, 'host')} as asked${back}${rest.length === 0 ? '' : `; ${rest.join(', ')}`}`;
}

function succeeded(rollout: AnyRollout): string {
  const { total, asAsked } = tally(rollout.counts);
  const word = sentence(asAskedWord(rollout.verb));
  const comesBack = takesAway(rollout.verb) && asAsked > 0;
  const back = comesBack && rollout.canReturn > 0 ? ', can return' : '';
  const none =
    comesBack && rollout.canReturn === 0 ? '. No host told of a way back; by hand one can always load it' : '';
  const others = [
    ...otherEnds(rollout.counts),
    ...(rollout.counts.unhealthy > 0 ? [`${rollout.counts.unhealthy} not healthy afterwards`] : []),
  ];
  const on = back === '' ? '' : ` (on ${rollout.canReturn} of them, as far as they told)`;
  const rest = others.length === 0 ? '' : `; ${others.join(', ')}`;
  return `${word}${back}: ${rollout.kmod} on ${asAsked} of ${count(total, 'host')}${on}${rest}${none}`;
}

function backWords({ rollback }: AnyRollout): string {
  if (rollback === null) return 'nothing is known of the way back yet';
  const { total, restored, pending, dispatched, failed, unknown } = rollback;
  const rest = [
    ...(dispatched > 0 ? [`${dispatched} under way`] : []),
    ...(pending > 0 ? [`${pending} to come`] : []),
    ...(failed > 0 ? [`${failed} changed and not put back`] : []),
    ...(unknown > 0 ? [`of ${unknown} nobody can say whether they changed, and nothing is done to them`] : []),
  ];
  return `${restored} of ${count(total, 'host')} put back${rest.length === 0 ? '' : `; ${list(rest)}`}`;
}

/** States whose reason only the server's message tells; of the others the headline says the same. */
const WITH_A_REASON: readonly AnyRollout['state'][] = ['paused', 'aborting', 'aborted', 'rolling_back', 'failed'];

/** What the server says of it, as a sentence; empty where it adds nothing. */
export function messageSentence({ message, state }: AnyRollout): string {
  if (message === '' || !WITH_A_REASON.includes(state)) return '';
  return sentence(/[.!?]$/.test(message) ? message : `${message}.`);
}

/** Why it is paused, by the budget; none: somebody paused it, and its message says so. */
export function budgetReasons(rollout: AnyRollout): string[] {
  return rollout.budget
    .filter((line) => line.exceeded)
    .map(
      ({ kind, count: n, limit, scope }) =>
        `the budget is exceeded: ${kind} ${n}, at most ${limit} ${scope === 'wave' ? 'in a wave' : 'in the whole rollout'}`,
    );
}
