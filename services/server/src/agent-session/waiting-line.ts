import type { Refusal } from './connection-gate.ts';

/** How many connections may wait to be let in. */
export interface LineLimits {
  readonly waiting: number;
  /** Of one address, so that nobody can take all places. */
  readonly perAddress: { readonly waiting: number };
}

/** Whether the next of an address is let in, waits on, or is turned away for this reason. */
export type Turn = 'in' | 'waits' | 'all_wait' | { readonly away: Refusal };

/** Somebody whose waiting is over. */
export interface Taken<T> {
  readonly who: T;
  readonly turn: Exclude<Turn, 'waits' | 'all_wait'>;
}

/**
 * Connections that were accepted and wait for their TLS handshake. Who waits costs a socket; who is turned away comes again, and a fleet that does so costs every machine more
 * than the waiting: 10,000 hosts whose server was killed made 40,000 attempts in four minutes, and few of them came in. Knows nothing of sockets and clocks.
 *
 * INVARIANTS
 * - Addresses take turns, each in its order of arrival: a site that comes with thousands does not keep a single host waiting behind all of them.
 * - Everybody leaves once: by `take` or by `remove`.
 */
export class WaitingLine<T> {
  readonly #limits: LineLimits;
  /** In the order of their turns. */
  readonly #addresses = new Map<string, T[]>();
  #length = 0;

  constructor(limits: LineLimits) {
    this.#limits = limits;
  }

  get length(): number {
    return this.#length;
  }

  /** False: there is no place left. */
  push(address: string, who: T): boolean {
    const own = this.#addresses.get(address) ?? [];
    if (this.#length >= this.#limits.waiting || own.length >= this.#limits.perAddress.waiting) return false;
    own.push(who);
    this.#addresses.set(address, own);
    this.#length += 1;
    return true;
  }

  /** The next one who need not wait any longer. */
  take(turnOf: (address: string) => Turn): Taken<T> | undefined {
    for (const [address, own] of this.#addresses) {
      const turn = turnOf(address);
      if (turn === 'all_wait') return undefined;
      if (turn === 'waits') continue;
      const who = own.shift();
      this.#left(address, own);
      if (who !== undefined) return { who, turn };
    }
    return undefined;
  }

  /** False: it waits no more. */
  remove(address: string, who: T): boolean {
    const own = this.#addresses.get(address) ?? [];
    const at = own.indexOf(who);
    if (at === -1) return false;
    own.splice(at, 1);
    this.#length -= 1;
    if (own.length === 0) this.#addresses.delete(address);
    return true;
  }

  /** One of this address left: the others have their turn first. */
  #left(address: string, own: T[]): void {
    this.#length -= 1;
    this.#addresses.delete(address);
    if (own.length > 0) this.#addresses.set(address, own);
  }
}
