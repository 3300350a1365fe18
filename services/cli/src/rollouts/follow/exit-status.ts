import { EXIT, type ExitCode } from '../../errors/exit-codes.ts';
import { type AnyRollout, isEnded, needsPerson, tally } from './tally.ts';

/**
 * Of `--exit-status`: 0 only when it succeeded whole, every host as asked and healthy. 8: it succeeded, and of some hosts nobody can say. Not ended, because
 * the time to follow it was over: 6 when it waits for a person, else 7.
 */
export function exitOfRollout(rollout: AnyRollout): ExitCode {
  if (!isEnded(rollout)) return needsPerson(rollout) ? EXIT.conflict : EXIT.timeout;
  if (rollout.state !== 'succeeded') return EXIT.negative;
  const { total, asAsked, notKnown } = tally(rollout.counts);
  if (rollout.counts.unhealthy > 0 || asAsked + notKnown < total) return EXIT.negative;
  return asAsked === total ? EXIT.ok : EXIT.incomplete;
}
