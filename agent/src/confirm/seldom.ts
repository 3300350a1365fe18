import type { BootClock } from '../time/clock.ts';

/** An answer is as good as new for so long: whoever asks whether a revert is at work starts two programs. */
const FRESH_MS = 2_000;

/** The same question, asked every two seconds at most; in between the last answer is given. */
export function seldom<T>(ask: () => Promise<T>, clock: BootClock): () => Promise<T> {
  let last: { readonly answer: T; readonly atMs: number } | undefined;
  return async () => {
    const nowMs = clock.nowMs();
    if (last === undefined || nowMs >= last.atMs + FRESH_MS) last = { answer: await ask(), atMs: nowMs };
    return last.answer;
  };
}
