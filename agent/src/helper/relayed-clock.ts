import type { TimeReading } from '@modfleet/proto';
import type { BootClock, ServerClock } from '../time/clock.ts';

/** As the courier's own clock: an older reading says nothing any more. */
const MAX_AGE_MS = 5 * 60_000;

/** How fast two crystal clocks may part, at worst: 500 ppm, as ntpd assumes. */
const DRIFT = 500e-6;

/** Server time as the courier told it last, carried forward by this process's own look at boot time. */
export class RelayedServerClock implements ServerClock {
  readonly #bootClock: BootClock;
  #reading: TimeReading | undefined;

  constructor(bootClock: BootClock) {
    this.#bootClock = bootClock;
  }

  /** Takes a reading that was checked (`complaintAboutTime`). */
  set(reading: TimeReading): void {
    this.#reading = reading;
  }

  now(): { readonly ms: number; readonly errorMs: number } | undefined {
    const reading = this.#reading;
    if (reading === undefined) return undefined;
    const age = this.#bootClock.nowMs() - reading.boottimeMs;
    // A reading from up to 20 ms ahead was let in: the resolution of /proc/uptime.
    if (age < -20 || age > MAX_AGE_MS) return undefined;
    return { ms: reading.serverTimeMs + age, errorMs: reading.errorMs + Math.abs(age) * DRIFT };
  }
}
