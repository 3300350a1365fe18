import { TokenBucket } from '../rate-limits/token-bucket.ts';

/** How many connections a listener takes. */
export interface GateLimits {
  /** All open connections. */
  readonly connections: number;
  /** Connections that have not finished TLS and made their first call: what an attacker can hold without any identity. */
  readonly unfinished: number;
  /** New connections a second, in the long run. */
  readonly perSecond: number;
  /** New connections at once after quiet. */
  readonly burst: number;
}

/** Why a connection is turned away. */
export type Refusal = 'connections' | 'unfinished' | 'rate';

/** Counts and admits; knows nothing of sockets and clocks. */
export class ConnectionGate {
  readonly #limits: GateLimits;
  #open = 0;
  #unfinished = 0;
  readonly #arrivals: TokenBucket;

  /** `now` in ms of any steady clock. */
  constructor(limits: GateLimits, now: number) {
    this.#limits = limits;
    this.#arrivals = new TokenBucket(limits, now);
  }

  get open(): number {
    return this.#open;
  }

  get unfinished(): number {
    return this.#unfinished;
  }

  /** Undefined: admitted, and counted as open and unfinished. */
  admit(now: number): Refusal | undefined {
    if (this.#open >= this.#limits.connections) return 'connections';
    if (this.#unfinished >= this.#limits.unfinished) return 'unfinished';
    if (!this.#arrivals.take(now)) return 'rate';
    this.#open += 1;
    this.#unfinished += 1;
    return undefined;
  }

  /** An admitted connection made its first call. */
  finished(): void {
    this.#unfinished -= 1;
  }

  /** An admitted connection ended. */
  closed(wasFinished: boolean): void {
    this.#open -= 1;
    if (!wasFinished) this.#unfinished -= 1;
  }
}
