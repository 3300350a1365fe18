/** One reading of Postgres's clock, by this process's steady one. */
export interface ClockReading {
  /** What Postgres's clock said, ms since the epoch, at some moment between these two. */
  readonly serverMs: number;
  /** Steady ms as it was asked, and as the answer was there. */
  readonly askedMs: number;
  readonly heardMs: number;
}

/**
 * Server time at steady 0, after a reading. A known one that the reading does not contradict stays: an answer that took long says little, and time must not
 * jump to and fro with every slow answer. Otherwise it moves as little as it has to.
 *
 * @param known server time at steady 0 as it was known; undefined: not at all.
 */
export function epochAfter(known: number | undefined, { serverMs, askedMs, heardMs }: ClockReading): number {
  if (known === undefined) return serverMs - (askedMs + heardMs) / 2;
  return Math.min(Math.max(known, serverMs - heardMs), serverMs - askedMs);
}
