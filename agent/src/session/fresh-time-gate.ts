import type { BootClock } from '../time/clock.ts';

/** Works that may wait; the server sends actions one after the other, so more is a flood. */
const MAX_WAITING = 256;

/**
 * Lets what the server asked for through once the server's time has been learnt anew. A virtual machine that was paused, or restored from a snapshot,
 * cannot know: its boot time stood still with everything else, and a request from before the pause may have expired long ago. One round trip tells.
 *
 * INVARIANT: work runs in the order in which it came, each after an answer to a sign of life that left no earlier than the work came.
 */
export class FreshTimeGate {
  readonly #bootClock: BootClock;
  readonly #ask: () => void;
  #waiting: { readonly cameAtMs: number; readonly work: () => void }[] = [];

  /** `ask` sends a sign of life now. */
  constructor(bootClock: BootClock, ask: () => void) {
    this.#bootClock = bootClock;
    this.#ask = ask;
  }

  /** Holds work until the next answer. False when too much waits already; the work is then not taken. */
  hold(work: () => void): boolean {
    if (this.#waiting.length >= MAX_WAITING) return false;
    this.#waiting.push({ cameAtMs: this.#bootClock.nowMs(), work });
    this.#ask();
    return true;
  }

  /** Runs work now, unless earlier work waits: then behind it. */
  follow(work: () => void): void {
    const last = this.#waiting.at(-1);
    if (last === undefined) work();
    else this.#waiting.push({ cameAtMs: last.cameAtMs, work });
  }

  /** The server answered a sign of life that left at this boot time, ms. */
  answered(boottimeMs: number): void {
    while (this.#waiting[0] !== undefined && this.#waiting[0].cameAtMs <= boottimeMs) this.#waiting.shift()?.work();
  }
}
