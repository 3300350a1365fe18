/**
 * One piece of work that is asked for again and again.
 *
 * INVARIANTS
 * - At most one run at a time; requests during a run are answered by one further run, which begins after them.
 * - A run that hangs holds up nothing but itself: later requests wait with it and do not pile up.
 */
export class Repeated {
  readonly #work: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  /** `work` must not reject. */
  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Resolves when a run that began after this call has ended. */
  trigger(): Promise<void> {
    if (this.#running === undefined) return this.#run();
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#run();
    });
    return this.#next;
  }

  #run(): Promise<void> {
    this.#running = this.#work().finally(() => (this.#running = undefined));
    return this.#running;
  }
}
