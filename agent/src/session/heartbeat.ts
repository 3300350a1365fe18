import type { BootClock } from '../time/clock.ts';

/** Signs of life without an answer until the connection counts as dead. */
const MAX_UNANSWERED = 3;

/** How long an answer may take after the machine slept: the connection most likely died meanwhile. */
const AFTER_RESUME_MS = 5000;

/** After a beat without an answer the next ones follow this much faster: a silent server is given up within two intervals. */
const HURRY = 3;

/** Share of the interval by which each wait is shorter or longer, so that a fleet does not beat in step. */
const JITTER = 0.2;

export interface HeartbeatOptions {
  readonly bootClock: BootClock;
  /** ms, as the server sets it. */
  readonly intervalMs: number;
  /** Between 0 and 1. */
  readonly random: () => number;
  /** Sends one, with this boot time in it. */
  readonly beat: (boottimeMs: number) => void;
  /** The server does not answer any more. */
  readonly onSilent: () => void;
}

/** Says that the host lives, and notices when nobody listens. */
export class HeartbeatLoop {
  readonly #options: HeartbeatOptions;
  #timer: NodeJS.Timeout | undefined;
  #unanswered = 0;
  #stopped = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Beats now, and then at every interval. */
  start(): void {
    this.#beatAndWait();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Beats once more, because there is something to say. Not counted: a burst of news is no silence of the server. */
  beatNow(): void {
    if (!this.#stopped) this.#options.beat(this.#options.bootClock.nowMs());
  }

  /** The machine slept: beats at once and gives the server little time. */
  resumed(): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#unanswered = MAX_UNANSWERED;
    this.#options.beat(this.#options.bootClock.nowMs());
    this.#timer = setTimeout(() => this.#beatAndWait(), AFTER_RESUME_MS);
  }

  answered(): void {
    this.#unanswered = 0;
  }

  #beatAndWait(): void {
    clearTimeout(this.#timer);
    if (this.#unanswered >= MAX_UNANSWERED) {
      this.stop();
      this.#options.onSilent();
      return;
    }
    this.#unanswered += 1;
    this.#options.beat(this.#options.bootClock.nowMs());
    const { intervalMs, random } = this.#options;
    const pace = this.#unanswered > 1 ? intervalMs / HURRY : intervalMs;
    this.#timer = setTimeout(() => this.#beatAndWait(), pace * (1 - JITTER + 2 * JITTER * random()));
  }
}
