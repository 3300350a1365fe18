import { EXIT, type ExitCode } from '../../errors/exit-codes.ts';
import { type AnyRollout, isEnded, needsPerson, tally } from './tally.ts';

/**
 * Of `--exit-status`: 0 only when it succeeded whole, every host as asked and healthy. Not ended, because the time to follow it was over: 6 when it waits for a
 * person, else 7.
 */
export function exitOfRollout(rollout: AnyRollout): ExitCode {
  if (!isEnded(rollout)) return needsPerson(rollout) ? EXIT.conflict : EXIT.timeout;
  const { total, asAsked } = tally(rollout.counts);
  return rollout.state === 'succeeded' && asAsked === total && rollout.counts.unhealthy === 0 ? EXIT.ok : EXIT.negative;
}
