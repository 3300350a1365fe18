import { path, type Api } from '../../api/api.ts';
import { Reconnect } from '../../api/reconnect.ts';
import { goesOn } from '../../errors/goes-on.ts';
import type { Io } from '../../io.ts';
import { clean } from '../../output/clean.ts';
import { exactClock } from '../../output/time.ts';
import { changeLines } from './changes.ts';
import { progressLines, rowsOf } from './progress.ts';
import { type AnyRollout, isEnded } from './tally.ts';

/** Some ten minutes: a server that is updated is back by then. */
const RECONNECTS = 150;

/**
 * Follows a rollout to its end, or for so long: drawn anew on a terminal, line by line elsewhere, both on stderr. A stream that breaks is taken up where it was
 * (Last-Event-ID). A pause is no end: somebody may let it go on.
 *
 * INVARIANTS: what is returned is the server's word; giving up says so and never says how the rollout ends.
 *
 * @param forMs how long to follow it; undefined: to its end. What is returned has then perhaps not ended.
 * @throws CliError 5 when the server stays away, 130 on Ctrl-C: in both the rollout goes on.
 */
export async function watchRollout(api: Api, io: Io, id: string, forMs?: number): Promise<AnyRollout> {
  const over = new AbortController();
  const done = new AbortController();
  if (forMs !== undefined)
    void io.wait(forMs, done.signal).then(
      () => over.abort(),
      () => undefined,
    );
  const teller = tellerFor(io);
  try {
    const rollout = await follow(api, io, id, over.signal, teller);
    teller.end();
    return rollout;
  } catch (error) {
    throw goesOn(error, 'The rollout goes on by itself', [
      `follow it again: modfleet rollouts watch ${id}`,
      `hold it: modfleet rollouts pause ${id}`,
    ]);
  } finally {
    done.abort();
  }
}

async function follow(api: Api, io: Io, id: string, over: AbortSignal, teller: Teller): Promise<AnyRollout> {
  const reconnect = new Reconnect(io, RECONNECTS);
  const asked = { rollout: id };
  let lastEventId: string | undefined;
  for (;;) {
    try {
      const request = { method: 'GET', path: path`/rollouts/${id}/watch`, lastEventId, until: over, asked } as const;
      for await (const event of api.stream(request)) {
        if (event.event !== 'rollout') continue;
        const rollout = event.data as AnyRollout;
        lastEventId = event.id ?? lastEventId;
        reconnect.progressed();
        teller.tell(rollout);
        if (isEnded(rollout)) return rollout;
      }
      // The server closed without the end: it is stopping, or the end came between two streams.
      const rollout = await api.get<AnyRollout>(path`/rollouts/${id}`, {}, asked);
      teller.tell(rollout);
      if (isEnded(rollout)) return rollout;
    } catch (error) {
      if (!over.aborted || io.signal.aborted) reconnect.lost(error);
    }
    if (over.aborted) return api.get<AnyRollout>(path`/rollouts/${id}`, {}, asked);
    await reconnect.pause();
  }
}

interface Teller {
  tell(rollout: AnyRollout): void;
  /** Takes away what was drawn: the page of the end stands in its place. */
  end(): void;
}

function tellerFor(io: Io): Teller {
  return io.err.isTty && io.env['TERM'] !== 'dumb' ? drawn(io) : lineByLine(io);
}

function drawn(io: Io): Teller {
  let rows = 0;
  const wipe = () => (rows === 0 ? '' : `\u001b[${rows}A\u001b[0J`);
  return {
    tell: (rollout) => {
      const now = progressLines(rollout, io, io.err);
      io.err.write(`${wipe()}${now.map((line) => `${line}\n`).join('')}`);
      rows = rowsOf(now, io.err.columns);
    },
    end: () => {
      io.err.write(wipe());
      rows = 0;
    },
  };
}

function lineByLine(io: Io): Teller {
  let told: AnyRollout | undefined;
  return {
    tell: (rollout) => {
      const lines = changeLines(rollout, told, io);
      const at = exactClock(io.now().toISOString(), io.now(), io.timeZone);
      for (const line of lines) io.err.write(`${at}  ${clean(line)}\n`);
      // What was not told is compared again: ten small steps are one that is told.
      if (lines.length > 0) told = rollout;
    },
    end: () => undefined,
  };
}
