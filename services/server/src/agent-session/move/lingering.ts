/** A host that was asked to move is elsewhere within a second or two; one that is not has gone. */
const LINGER_MS = 10_000;

/** Ends of sessions that are put off. */
export class Lingering {
  readonly #ends = new Map<() => void, NodeJS.Timeout>();

  putOff(end: () => void): void {
    const timer = setTimeout(() => {
      this.#ends.delete(end);
      end();
    }, LINGER_MS);
    this.#ends.set(end, timer);
  }

  /** All now. */
  stop(): void {
    for (const [end, timer] of this.#ends) {
      clearTimeout(timer);
      end();
    }
    this.#ends.clear();
  }
}
