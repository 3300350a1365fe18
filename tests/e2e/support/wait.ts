import { setTimeout as delay } from 'node:timers/promises';

/**
 * Asks again every 25 ms until `look` gives something. The time limit is generous: it ends a test that hangs, it measures nothing.
 *
 * @throws when the limit passes, with the last thing that `look` threw.
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  limitMs = 60_000,
): Promise<T> {
  const deadline = Date.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline)
      throw new Error(`${what}: not within ${limitMs / 1000} s${last === undefined ? '' : `; last: ${String(last)}`}`);
    await delay(25);
  }
}
