import type { RolloutFailureKind, RolloutTargetOutcomeWord } from '@modfleet/server/api-types';
import { assertNever } from '../../output/assert-never.ts';
import { takesAway } from '../verbs.ts';
import { type AnyRollout, tally } from './tally.ts';

/** Outcomes that `retry` takes, as the API has them. */
const RETRIED = {
  failed: ['refused', 'failed', 'reverted', 'drifted', 'interrupted', 'expired'],
  unreached: ['unreachable', 'not_run'],
} as const satisfies Record<string, readonly RolloutTargetOutcomeWord[]>;

/** What can be typed now, the likeliest first. */
export function nextCommands(rollout: AnyRollout): [what: string, command: string][] {
  const { id } = rollout;
  const type = (verb: string, rest = '') => `modfleet rollouts ${verb} ${id}${rest}`;
  const [worst] = rollout.failures;
  const sick: [string, string][] =
    worst === undefined ? [] : [[`which hosts: ${worst.kind}`, type('show', failedFilter(worst.kind))]];
  switch (rollout.state) {
    case 'awaiting_approval':
      return [
        ['somebody else looks at it and approves', type('approve')],
        ['call it off', type('abort')],
      ];
    case 'running':
      return [
        ['follow it', type('watch')],
        ...(isBaking(rollout) ? [['do not wait for the end of the bake', type('promote')] as [string, string]] : []),
        ['hold it', type('pause')],
      ];
    case 'paused':
      return [
        ...sick,
        ['go on, with the failures so far accepted', type('resume')],
        ['put back what was changed', type('rollback')],
        ['end it as it is', type('abort')],
      ];
    case 'aborting':
    case 'rolling_back':
      return [['follow it', type('watch')]];
    case 'succeeded':
    case 'failed':
    case 'aborted':
      return [...sick, ...again(rollout, type), ...seeNow(rollout)];
    case 'rolled_back':
      return [['how each host ended', type('show', ' --targets')], ...seeNow(rollout)];
    default:
      return assertNever(rollout.state);
  }
}

/** The filter that shows the hosts of a kind of failure. */
function failedFilter(kind: RolloutFailureKind): string {
  return kind === 'unhealthy' ? ' --unhealthy' : ` --outcome ${kind}`;
}

function isBaking({ wave, waves }: AnyRollout): boolean {
  return waves.find((each) => each.wave === wave)?.state === 'baking';
}

function again(rollout: AnyRollout, type: (verb: string, rest?: string) => string): [string, string][] {
  const { ended } = rollout.counts;
  const sum = (words: readonly RolloutTargetOutcomeWord[]) => words.reduce((n, word) => n + (ended[word] ?? 0), 0);
  const unreached = sum(RETRIED.unreached);
  const { asAsked } = tally(rollout.counts);
  const { rollback } = rollout;
  // After a roll back nobody wants more of it.
  if (rollback !== null)
    return rollback.failed > 0 ? [['put back those that were not, again', type('rollback')] as [string, string]] : [];
  return [
    ...(sum(RETRIED.failed) > 0 ? [['those that failed again', type('retry', ' --failed')] as [string, string]] : []),
    ...(unreached > 0 ? [['those that were not reached', type('retry', ' --unreached')] as [string, string]] : []),
    ...(rollout.state !== 'succeeded' && asAsked > 0
      ? [['put back what was changed', type('rollback')] as [string, string]]
      : []),
  ];
}

function seeNow({ verb, kmod }: AnyRollout): [string, string][] {
  return [
    [takesAway(verb) ? 'who runs it now all the same' : 'who runs it now', `modfleet kmods hosts ${kmod} --live`],
  ];
}
