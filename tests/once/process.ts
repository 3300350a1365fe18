/**
 * The life of one simulated process: each thing it does to the world passes a point, where it can be killed or held.
 *
 * INVARIANT: after its death no point is ever passed again, so nothing of it touches the world.
 */
export class SimulatedProcess {
  #alive = true;
  #pointsLeft: number | undefined;
  #pointsToHold: number | undefined;
  #held = false;
  #waiting: (() => void)[] = [];

  get alive(): boolean {
    return this.#alive;
  }

  /** A promise that resolves when the process may go on, and never when it is dead. */
  readonly point = (): Promise<void> => {
    if (!this.#alive) return NEVER;
    if (this.#pointsLeft !== undefined) {
      if (this.#pointsLeft === 0) {
        this.#alive = false;
        return NEVER;
      }
      this.#pointsLeft -= 1;
    }
    if (this.#pointsToHold !== undefined && this.#pointsToHold-- === 0) {
      this.#pointsToHold = undefined;
      this.#held = true;
    }
    if (!this.#held) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(() => resolve(this.point())));
  };

  /** It dies after passing this many more points. */
  dieAfter(points: number): void {
    this.#pointsLeft ??= points;
  }

  kill(): void {
    this.#alive = false;
  }

  /** It is slow: after passing this many more points it goes on only when released. */
  holdAfter(points: number): void {
    this.#pointsToHold ??= points;
  }

  /** Neither death nor slowness that were meant to come will come. */
  calm(): void {
    this.#pointsLeft = undefined;
    this.#pointsToHold = undefined;
  }

  /** Nothing goes on until it is released. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#pointsToHold = undefined;
    for (const go of this.#waiting.splice(0)) go();
  }
}

const NEVER = new Promise<never>(() => undefined);
