import type { MemoryFigures } from './memory-watch.ts';

/** Settings of a server that is fuzzed: all that it has to say is in its log. */
export const FUZZ_SETTINGS: NodeJS.ProcessEnv = { MODFLEET_LOG_LEVEL: 'info' };

/** Most that the server may grow while it is fuzzed, MiB: bodies of a megabyte, eight at a time, and what the collector has not come to yet. */
const GROWTH_MAX = 300;
const PEAK_MAX = 900;

export function memoryHolds({ first, last, peak }: MemoryFigures): boolean {
  return last - first <= GROWTH_MAX && peak <= PEAK_MAX;
}
