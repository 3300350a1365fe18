/** New contents that one host may bring in an hour: a build machine that loads and unloads all day stays below, a host gone mad does not. */
const PER_HOUR = 1_000;
const BURST = 200;

/** Limits how often one host is asked for content that nobody sent before. */
export class AskBudget {
  #tokens = BURST;
  #refilledAt: number;

  /** `now` in steady ms. */
  constructor(now: number) {
    this.#refilledAt = now;
  }

  take(now: number): boolean {
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#refilledAt) * PER_HOUR) / 3_600_000);
    this.#refilledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
