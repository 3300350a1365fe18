import type { ServerClock } from '../time/clock.ts';

/** Server time in ms since the epoch with a bound of its error; undefined without a valid offset. */
export type ServerTime = ReturnType<ServerClock['now']>;

/** Whether a deadline may already have passed: counts the error bound against us. */
export function mayHavePassed(time: NonNullable<ServerTime>, deadlineMs: number): boolean {
  return time.ms + time.errorMs > deadlineMs;
}

/** Whether a deadline has certainly passed. */
export function hasPassed(time: NonNullable<ServerTime>, deadlineMs: number): boolean {
  return time.ms - time.errorMs > deadlineMs;
}
