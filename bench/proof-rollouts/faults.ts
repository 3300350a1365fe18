import { RolloutCluster } from '../../tests/e2e/support/rollout-cluster.ts';
import {
  answersLost,
  databaseAway,
  type FaultFindings,
  pausedAndFrozen,
  stoppedWatcher,
} from '../../tests/e2e/support/rollout-faults.ts';
import { SHORT_RESTS } from '../../tests/e2e/support/rollout-kills.ts';
import { type Figure, figure } from '../figures.ts';
import type { ProofAsked } from './asked.ts';
import { allPromises, inWords, verdict } from './problems.ts';

const AWAY_S = 30;
const DEAF_S = 10;

/** One rollout through each of these. */
export async function proveFaults({ hosts }: ProofAsked): Promise<Figure[]> {
  const on = await RolloutCluster.start(hosts, SHORT_RESTS);
  try {
    const stopped = await stoppedWatcher(on);
    const away = await databaseAway(on, AWAY_S * 1000);
    const held = await pausedAndFrozen(on);
    const deaf = await answersLost(on, DEAF_S * 1000);
    return [
      ...told('watcher stopped past its lease', stopped, `taken over after ${stopped.takenOverMs} ms`),
      ...told(`PostgreSQL away for ${AWAY_S} s`, away, ''),
      ...told('paused, then frozen', held, ''),
      figure('pause until the last dispatch, from its answer', held.pauseLateMs, 'ms', 1000, '', 0),
      figure('freeze until the last dispatch, from its answer', held.freezeLateMs, 'ms', 1000, '', 0),
      ...told(
        `half of the hosts hear nothing for ${DEAF_S} s`,
        deaf,
        `${deaf.arrivals} requests at ${deaf.actions} actions`,
      ),
    ];
  } finally {
    await on.stop();
  }
}

/** On the screen, and as figures. */
export function told(
  what: string,
  { state, outcomes, actions, routines, problems }: FaultFindings,
  more: string,
): Figure[] {
  const words = `${state}: ${inWords(outcomes)}; ${actions} actions, ${routines} routines${more === '' ? '' : `; ${more}`}`;
  console.log(`${what}: ${words}; ${verdict(problems)}`);
  return [allPromises(what, problems, words)];
}
