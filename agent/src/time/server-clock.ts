import type { BootClock, ServerClock } from './clock.ts';

/** An offset older than this says nothing any more (docs/layout.md, "time"): clocks drift, hosts sleep. */
const MAX_AGE_MS = 5 * 60_000;

/** A better old sample yields to a newer one after this long, so that drift cannot add up. */
const PREFER_FRESH_AFTER_MS = 60_000;

/** How fast two crystal clocks may part, at worst: 500 ppm, as ntpd assumes. */
const DRIFT = 500e-6;

/** Resolution of /proc/uptime. */
const BOOT_CLOCK_RESOLUTION_MS = 10;

/** One exchange with the server. */
export interface ServerTimeSample {
  /** Server time that it answered, ms since the epoch. */
  readonly serverTimeMs: number;
  /** Boot time when the question left, ms. */
  readonly sentAtMs: number;
  /** Boot time when the answer came, ms. */
  readonly receivedAtMs: number;
}

interface Offset {
  readonly offsetMs: number;
  readonly errorMs: number;
  readonly atMs: number;
}

/**
 * Server time = boot time + offset. The server read its clock somewhere within the round trip, so half of it bounds the error; drift since then is
 * added. Never the wall clock: an administrator may set it.
 */
export class OffsetServerClock implements ServerClock {
  readonly #bootClock: BootClock;
  #offset: Offset | undefined;

  constructor(bootClock: BootClock) {
    this.#bootClock = bootClock;
  }

  now(): { readonly ms: number; readonly errorMs: number } | undefined {
    const offset = this.#offset;
    if (offset === undefined) return undefined;
    const now = this.#bootClock.nowMs();
    const age = now - offset.atMs;
    if (age < 0 || age > MAX_AGE_MS) return undefined;
    return { ms: now + offset.offsetMs, errorMs: offset.errorMs + age * DRIFT };
  }

  /**
   * Takes a sample; one whose answer came before its question is ignored, and so is one worse than what is known. But a sample that contradicts what
   * is known wins: this machine was paused or restored, and its clocks did not notice.
   */
  observe(sample: ServerTimeSample): void {
    const roundTrip = sample.receivedAtMs - sample.sentAtMs;
    if (roundTrip < 0) return;
    const errorMs = roundTrip / 2 + BOOT_CLOCK_RESOLUTION_MS;
    const offsetMs = sample.serverTimeMs - (sample.sentAtMs + roundTrip / 2);
    const old = this.#offset;
    if (old !== undefined) {
      const age = sample.receivedAtMs - old.atMs;
      const oldErrorMs = old.errorMs + age * DRIFT;
      const agrees = Math.abs(offsetMs - old.offsetMs) <= errorMs + oldErrorMs;
      if (agrees && age >= 0 && age < PREFER_FRESH_AFTER_MS && oldErrorMs < errorMs) return;
    }
    this.#offset = { offsetMs, errorMs, atMs: sample.receivedAtMs };
  }

  /** Forgets the offset: after a suspend, or when the boot id is another. */
  void(): void {
    this.#offset = undefined;
  }
}
