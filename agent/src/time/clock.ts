/** Time that counts suspend and no clock setting changes: ms since boot, from /proc/uptime (proc(5)). */
export interface BootClock {
  nowMs(): number;
}

/** Server time, carried forward by boot time. */
export interface ServerClock {
  /** Server time in ms since the epoch with a bound of its error; undefined without an offset of this boot younger than 5 minutes. */
  now(): { readonly ms: number; readonly errorMs: number } | undefined;
}
