import type { MemoryFigures } from './memory-watch.ts';

/**
 * Settings of a server that is fuzzed: a heap of 256 MiB, in which whatever is kept for ever does not fit for long (without a limit Node.js lets garbage lie
 * for hundreds of MiB, and a leak looks the same); and no limits on how often it is asked, which would hide what is
 * behind them.
 */
export const FUZZ_SETTINGS: NodeJS.ProcessEnv = {
  NODE_OPTIONS: '--max-old-space-size=256',
  MODFLEET_LOG_LEVEL: 'info',
  MODFLEET_RATE_IDENTITY_PER_SECOND: '0',
  MODFLEET_RATE_ADDRESS_PER_SECOND: '0',
  MODFLEET_RATE_FAILURES_PER_MINUTE: '0',
  MODFLEET_RATE_JOINS_PER_SECOND: '0',
};

/** Most that the server may ever take, MiB: its heap, and what lies beside it: code, buffers of sockets, bodies of a megabyte, eight at a time. */
const PEAK_MAX = 700;

export function memoryHolds({ peak }: MemoryFigures): boolean {
  return peak <= PEAK_MAX;
}
