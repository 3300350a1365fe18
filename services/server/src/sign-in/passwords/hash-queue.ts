import { AppError } from '../../errors/app-error.ts';

/**
 * Bounds how many passwords are hashed at once: each takes 64 MiB and a core.
 *
 * INVARIANTS
 * - At most `parallel` run: 128 MiB, and two of libuv's four threads stay free for files and name lookups.
 * - At most `waiting` wait; whoever comes then hears `overloaded` at once. A flood costs its senders their answers, never the server its memory.
 * - Those of the front lane go first, and displace the youngest of the others: strangers cannot fill the queue before somebody who is known.
 */
export class HashQueue {
  readonly #parallel: number;
  readonly #waiting: number;
  readonly #front: Waiter[] = [];
  readonly #back: Waiter[] = [];
  #running = 0;

  constructor(limits: { readonly parallel: number; readonly waiting: number } = { parallel: 2, waiting: 24 }) {
    this.#parallel = limits.parallel;
    this.#waiting = limits.waiting;
  }

  /** @throws AppError overloaded, with the seconds after which a retry makes sense; whatever `work` throws. */
  async run<T>(lane: Lane, work: () => Promise<T>): Promise<T> {
    await this.#admitted(lane);
    try {
      return await work();
    } finally {
      this.#running -= 1;
      (this.#front.shift() ?? this.#back.shift())?.start();
    }
  }

  async #admitted(lane: Lane): Promise<void> {
    if (this.#running < this.#parallel) {
      this.#running += 1;
      return;
    }
    if (this.#front.length + this.#back.length >= this.#waiting) {
      if (lane === 'back' || this.#back.length === 0) throw tooMany();
      this.#back.pop()?.refuse(tooMany());
    }
    await new Promise<void>((resolve, reject) => {
      const start = (): void => {
        this.#running += 1;
        resolve();
      };
      (lane === 'front' ? this.#front : this.#back).push({ start, refuse: reject });
    });
  }
}

/** `front`: signs in from an address that the account has signed in from before. */
export type Lane = 'front' | 'back';

interface Waiter {
  readonly start: () => void;
  readonly refuse: (error: AppError) => void;
}

function tooMany(): AppError {
  return new AppError('overloaded', 'too many people are signing in just now; try again in a few seconds', {
    retryAfterSeconds: 3,
  });
}
