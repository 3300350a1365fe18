import { path, type Api } from '../api/api.ts';
import { Reconnect } from '../api/reconnect.ts';
import { goesOn } from '../errors/goes-on.ts';
import type { Io } from '../io.ts';
import { clean } from '../output/clean.ts';
import { exactClock } from '../output/time.ts';
import { timelineText } from './action.page.ts';
import { isEnded, type AnyAction } from './outcome.ts';

/** A lost stream is taken up again so often in a row without anything new; then the server counts as away. */
const RECONNECTS = 12;

/**
 * Follows an action to its end, telling its changes on stderr. A stream that breaks is taken up where it was (Last-Event-ID).
 *
 * INVARIANTS: the end that is returned is the server's; giving up says so and never says how the action ended.
 *
 * @throws CliError 5 when the server stays away, 130 on Ctrl-C: in both the action goes on.
 */
export async function watchAction(api: Api, io: Io, id: string): Promise<AnyAction> {
  const told = new Set<string>();
  const reconnect = new Reconnect(io, RECONNECTS);
  let lastEventId: string | undefined;
  for (;;) {
    try {
      for await (const event of api.stream({ method: 'GET', path: path`/actions/${id}/watch`, lastEventId })) {
        if (event.event !== 'action') continue;
        const action = event.data as AnyAction;
        lastEventId = event.id ?? lastEventId;
        reconnect.progressed();
        tell(action, told, io);
        if (isEnded(action)) return action;
      }
      // The server closed without the end: it is stopping, or the end came between two streams.
      const action = await api.get<AnyAction>(path`/actions/${id}`);
      tell(action, told, io);
      if (isEnded(action)) return action;
    } catch (error) {
      orGoesOn(id, () => reconnect.lost(error));
    }
    await reconnect.pause().catch((error: unknown) => {
      throw actionGoesOn(error, id);
    });
  }
}

function tell(action: AnyAction, told: Set<string>, io: Io): void {
  for (const entry of action.timeline) {
    const key = `${entry.at} ${entry.state} ${entry.outcome ?? ''} ${entry.note}`;
    if (told.has(key)) continue;
    told.add(key);
    io.err.write(`${exactClock(entry.at, io.now(), io.timeZone)}  ${clean(timelineText(entry))}\n`);
  }
}

/** What it throws says besides that the action goes on. */
function orGoesOn(id: string, step: () => void): void {
  try {
    step();
  } catch (error) {
    throw actionGoesOn(error, id);
  }
}

function actionGoesOn(error: unknown, id: string): unknown {
  return goesOn(error, 'The action goes on by itself', [
    `how it ends: modfleet actions watch ${id}`,
    `call it off: modfleet actions cancel ${id}`,
  ]);
}
