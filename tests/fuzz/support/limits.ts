import type { MemoryFigures } from './memory-watch.ts';

/** Settings of a server that is fuzzed: no limits on how often it is asked, which would hide what is behind them. */
export const FUZZ_SETTINGS: NodeJS.ProcessEnv = {
  MODFLEET_LOG_LEVEL: 'info',
  MODFLEET_RATE_IDENTITY_PER_SECOND: '0',
  MODFLEET_RATE_ADDRESS_PER_SECOND: '0',
  MODFLEET_RATE_FAILURES_PER_MINUTE: '0',
  MODFLEET_RATE_JOINS_PER_SECOND: '0',
};

/** Most that the server may grow while it is fuzzed, MiB: bodies of a megabyte, eight at a time, and what the collector has not come to yet. */
const GROWTH_MAX = 300;
const PEAK_MAX = 900;

export function memoryHolds({ first, last, peak }: MemoryFigures): boolean {
  return last - first <= GROWTH_MAX && peak <= PEAK_MAX;
}
