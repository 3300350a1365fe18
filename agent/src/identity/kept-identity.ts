import type { BootClock } from '../time/clock.ts';
import type { HostIdentity, IdentityStore } from './host-identity.ts';

/** What a connection to the session listener is made with. */
export interface Credentials {
  readonly identity: HostIdentity;
  /** PKCS #8, PEM. */
  readonly keyPem: string;
  /** What time it is, for the dates of the server's certificate. */
  readonly now: Date;
}

/**
 * The identity that this process goes by, and what it holds for the time.
 *
 * INVARIANTS
 * - A new certificate is on disk before it is used: one that was used and then lost would make this host look like a copy of itself (docs/adr/0027).
 * - Dates are held against the server's time, once the server has told it with the CA's signature (or over a connection that was verified) since this
 *   machine booted; before, against this machine's clock. Neither is ever a reason to join anew.
 */
export class KeptIdentity {
  readonly #store: Pick<IdentityStore, 'save'>;
  readonly #keyPem: string;
  readonly #bootClock: BootClock;
  readonly #wallClock: () => number;
  #current: HostIdentity;
  #line: Promise<void> = Promise.resolve();
  /** Server time less boot time, ms. */
  #offsetMs: number | undefined;

  constructor(
    store: Pick<IdentityStore, 'save'>,
    identity: HostIdentity,
    keyPem: string,
    bootClock: BootClock,
    wallClock: () => number = Date.now,
  ) {
    this.#store = store;
    this.#current = identity;
    this.#keyPem = keyPem;
    this.#bootClock = bootClock;
    this.#wallClock = wallClock;
  }

  get current(): HostIdentity {
    return this.#current;
  }

  get keyPem(): string {
    return this.#keyPem;
  }

  /** Keeps these parts of it on disk, then goes by them; one change after the other. @throws IdentityStoreError, and then the one before stands. */
  amend(parts: Partial<HostIdentity>): Promise<void> {
    const done = this.#line.then(async () => {
      const next = { ...this.#current, ...parts };
      await this.#store.save(next);
      this.#current = next;
    });
    this.#line = done.catch(() => undefined);
    return done;
  }

  /** The server has told its time, ms since the epoch, in a way that nobody else can. */
  observeServerTime(serverTimeMs: number): void {
    this.#offsetMs = serverTimeMs - this.#bootClock.nowMs();
  }

  /** ms since the epoch: the server's time, or this machine's where that is not known. */
  nowMs(): number {
    return this.#offsetMs === undefined ? this.#wallClock() : this.#bootClock.nowMs() + this.#offsetMs;
  }

  /** How far this machine's clock is ahead of the server's time, ms; undefined where that is not known. */
  clockAheadMs(): number | undefined {
    return this.#offsetMs === undefined ? undefined : this.#wallClock() - this.nowMs();
  }

  credentials(): Credentials {
    return { identity: this.#current, keyPem: this.#keyPem, now: new Date(this.nowMs()) };
  }
}
