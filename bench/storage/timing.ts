import { quantile } from '../quantile.ts';

/** How long a question is asked again and again, and how often at most and at least. */
const BUDGET_MS = 5_000;
const RUNS_MOST = 200;
const RUNS_LEAST = 5;
/** Calls that are not counted. */
export const WARM_UP_RUNS = 2;

export interface Times {
  readonly p50: number;
  readonly p99: number;
  readonly runs: number;
}

/** Milliseconds of one call after the other, without the first ones: caches are warm, as on a server that is asked all day. */
export async function timesOf(ask: () => Promise<unknown>): Promise<Times> {
  for (let run = 0; run < WARM_UP_RUNS; run += 1) await ask();
  const times: number[] = [];
  const begun = performance.now();
  while (times.length < RUNS_LEAST || (times.length < RUNS_MOST && performance.now() - begun < BUDGET_MS)) {
    const started = performance.now();
    await ask();
    times.push(performance.now() - started);
  }
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99), runs: times.length };
}
