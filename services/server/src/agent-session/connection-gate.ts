import { TokenBucket } from '../rate-limits/token-bucket.ts';

/** How many connections a listener takes. */
export interface GateLimits {
  /** All open connections. */
  readonly connections: number;
  /** Connections that have not finished TLS and made their first call: what an attacker can hold without any identity. */
  readonly unfinished: number;
  /** The same two for one address, so that nobody can take all of them. A whole site may stand behind one address. */
  readonly perAddress: { readonly connections: number; readonly unfinished: number };
  /** New connections a second, in the long run. */
  readonly perSecond: number;
  /** New connections at once after quiet. */
  readonly burst: number;
}

/** Why a connection is turned away. */
export type Refusal = 'connections' | 'unfinished' | 'address_connections' | 'address_unfinished' | 'rate';

/** Connections of one address, or of all. */
interface Count {
  open: number;
  unfinished: number;
}

/** Counts and admits; knows nothing of sockets and clocks. An address is any text that says whose connection it is. */
export class ConnectionGate {
  readonly #limits: GateLimits;
  readonly #all: Count = { open: 0, unfinished: 0 };
  /** Those with open connections. */
  readonly #addresses = new Map<string, Count>();
  readonly #arrivals: TokenBucket;

  /** `now` in ms of any steady clock. */
  constructor(limits: GateLimits, now: number) {
    this.#limits = limits;
    this.#arrivals = new TokenBucket(limits, now);
  }

  get open(): number {
    return this.#all.open;
  }

  get unfinished(): number {
    return this.#all.unfinished;
  }

  /** Addresses with open connections. */
  get addresses(): number {
    return this.#addresses.size;
  }

  /** Undefined: admitted, and counted as open and unfinished. */
  admit(address: string, now: number): Refusal | undefined {
    const { perAddress, connections, unfinished } = this.#limits;
    const own = this.#addresses.get(address) ?? { open: 0, unfinished: 0 };
    // First: what one address is refused takes nothing from the others.
    if (own.open >= perAddress.connections) return 'address_connections';
    if (own.unfinished >= perAddress.unfinished) return 'address_unfinished';
    if (this.#all.open >= connections) return 'connections';
    if (this.#all.unfinished >= unfinished) return 'unfinished';
    if (!this.#arrivals.take(now)) return 'rate';
    this.#addresses.set(address, own);
    for (const count of [own, this.#all]) {
      count.open += 1;
      count.unfinished += 1;
    }
    return undefined;
  }

  /** An admitted connection made its first call. */
  finished(address: string): void {
    for (const count of this.#countsOf(address)) count.unfinished -= 1;
  }

  /** An admitted connection ended. */
  closed(address: string, wasFinished: boolean): void {
    const counts = this.#countsOf(address);
    for (const count of counts) {
      count.open -= 1;
      if (!wasFinished) count.unfinished -= 1;
    }
    if (this.#addresses.get(address)?.open === 0) this.#addresses.delete(address);
  }

  #countsOf(address: string): Count[] {
    const own = this.#addresses.get(address);
    return own === undefined ? [this.#all] : [this.#all, own];
  }
}
