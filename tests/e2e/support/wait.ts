import { setTimeout as delay } from 'node:timers/promises';

/** Longest pause between two looks, ms, and the shortest where none is asked for. */
const PAUSE_MS = { least: 100, most: 3_000 } as const;

/** A look at an emulated host costs it time that the work under test needs: most of the time it is left alone. */
const PAUSE_PER_LOOK = 8;

/**
 * Asks again until `look` gives something, every `pauseMs` when looking costs nothing. The time limit is generous: it ends a test that hangs, it
 * measures nothing.
 *
 * @throws when the limit passes, with the last thing that `look` threw.
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  limitMs = 150_000,
  pauseMs: number = PAUSE_MS.least,
): Promise<T> {
  const deadline = Date.now() + limitMs;
  let last: unknown;
  for (;;) {
    const begun = performance.now();
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline)
      throw new Error(`${what}: not within ${limitMs / 1000} s${last === undefined ? '' : `; last: ${String(last)}`}`);
    const took = performance.now() - begun;
    await delay(Math.min(PAUSE_MS.most, Math.max(pauseMs, PAUSE_PER_LOOK * took)));
  }
}
