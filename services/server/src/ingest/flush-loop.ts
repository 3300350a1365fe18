/** What a loop runs. */
export interface FlushWork {
  /** One batch. A throw means that it goes with the next one, later. */
  run(): Promise<void>;
  /** Something is left for another batch. */
  waits(): boolean;
  /** `times`: failures in a row before this one. */
  failed(error: unknown, times: number): void;
  /** The first success after failures. */
  recovered(): void;
}

/** News of one host waits so long for news of others. */
const GATHER_MS = 25;
const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 2_000;

/** Runs batches one at a time: soon after news, again while something waits, and less often while they fail. After its stop it runs nothing, whatever is said. */
export class FlushLoop {
  readonly #work: FlushWork;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #failures = 0;
  #stopped = false;

  constructor(work: FlushWork) {
    this.#work = work;
  }

  /** There is news. */
  wake(): void {
    this.#wakeIn(GATHER_MS);
  }

  /** Runs what waits, as long as that goes well. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
    this.#failures = 0;
    while (this.#failures === 0 && this.#work.waits()) await this.#once();
  }

  #wakeIn(delayMs: number): void {
    if (this.#stopped || this.#timer !== undefined || this.#running !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#running = this.#once().finally(() => {
        this.#running = undefined;
        if (this.#work.waits())
          this.#wakeIn(this.#failures === 0 ? GATHER_MS : Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#failures));
      });
    }, delayMs);
  }

  async #once(): Promise<void> {
    try {
      await this.#work.run();
      if (this.#failures > 0) this.#work.recovered();
      this.#failures = 0;
    } catch (error) {
      this.#work.failed(error, this.#failures);
      this.#failures += 1;
    }
  }
}
