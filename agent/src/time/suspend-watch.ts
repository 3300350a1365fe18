import type { BootClock } from './clock.ts';

/** How often the two clocks are compared; also how soon after a resume it is noticed. */
const CHECK_MS = 2000;

/** Boot time may run ahead of monotonic time by this much without a suspend: rounding, and a busy machine between two reads. */
const TOLERANCE_MS = 1500;

/** Notices that the machine slept: boot time goes on meanwhile, Node's monotonic time stands still. */
export class SuspendWatch {
  readonly #bootClock: BootClock;
  readonly #monotonicMs: () => number;
  readonly #onResume: (sleptMs: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #aheadMs: number;

  constructor(
    bootClock: BootClock,
    onResume: (sleptMs: number) => void,
    monotonicMs: () => number = () => performance.now(),
  ) {
    this.#bootClock = bootClock;
    this.#monotonicMs = monotonicMs;
    this.#onResume = onResume;
    this.#aheadMs = this.#ahead();
  }

  start(): void {
    this.#timer = setInterval(() => this.check(), CHECK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Compares now. */
  check(): void {
    const ahead = this.#ahead();
    const sleptMs = ahead - this.#aheadMs;
    this.#aheadMs = ahead;
    if (sleptMs > TOLERANCE_MS) this.#onResume(sleptMs);
  }

  #ahead(): number {
    return this.#bootClock.nowMs() - this.#monotonicMs();
  }
}
