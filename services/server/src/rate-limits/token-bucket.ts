/** How much may be done. */
export interface BucketLimit {
  /** In the long run. */
  readonly perSecond: number;
  /** At once after quiet. */
  readonly burst: number;
}

/** Tokens that come back with time. Knows nothing of clocks: `now` is ms of any steady one. */
export class TokenBucket {
  readonly limit: BucketLimit;
  #tokens: number;
  #at: number;

  /** Full. */
  constructor(limit: BucketLimit, now: number) {
    this.limit = limit;
    this.#tokens = limit.burst;
    this.#at = now;
  }

  /** Takes one, if there is one. */
  take(now: number): boolean {
    if (this.tokens(now) < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** What is there now; parts of one, too. */
  tokens(now: number): number {
    const passedSeconds = Math.max(0, now - this.#at) / 1000;
    this.#tokens = Math.min(this.limit.burst, this.#tokens + passedSeconds * this.limit.perSecond);
    this.#at = now;
    return this.#tokens;
  }
}
