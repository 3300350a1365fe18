import type { FindingCode } from '@modfleet/proto';
import { messageOf } from '../error-words.ts';
import type { RevertTimer } from './revert-timer.ts';

/** Why this host cannot give any window; undefined when it can. */
export async function windowObstacle(
  timer: RevertTimer,
  checkSnapshot: () => Promise<void>,
): Promise<{ code: FindingCode; message: string } | undefined> {
  const why = await timer.obstacle();
  if (why !== undefined) return { code: 'unsupported', message: `this host cannot give a confirm window: ${why}` };
  try {
    await checkSnapshot();
    return undefined;
  } catch (error) {
    return { code: 'unsupported', message: `this host cannot give a confirm window: ${messageOf(error)}` };
  }
}
