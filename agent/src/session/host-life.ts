import type { HostFacts } from '@modfleet/proto';
import type { ActionEngine } from '../actions/action-engine.ts';
import type { Inventory } from '../facets/inventory.ts';
import { asking, CertificateKeeper } from '../identity/certificate-keeper.ts';
import { askIdentityService, type IdentityListener } from '../identity/identity-questions.ts';
import type { KeptIdentity } from '../identity/kept-identity.ts';
import { TrustKeeper } from '../identity/trust-keeper.ts';
import type { Log } from '../log.ts';
import type { BootClock } from '../time/clock.ts';
import type { OffsetServerClock } from '../time/server-clock.ts';
import { connectSession } from './h2-transport.ts';
import type { SessionAddress } from './session-tls.ts';
import { SessionSupervisor } from './supervisor.ts';
import type { ConnectionAddresses } from './transport.ts';

export interface HostLifeParts {
  readonly kept: KeptIdentity;
  readonly inventory: Inventory;
  readonly engine: ActionEngine;
  readonly bootClock: BootClock;
  readonly serverClock: OffsetServerClock;
  readonly log: Log;
  /** Between 0 and 1. */
  readonly random: () => number;
  /** Where the server's listeners are just now. */
  readonly listeners: () => { readonly session: SessionAddress; readonly identity: IdentityListener };
  readonly readFacts: () => Promise<HostFacts>;
  /** The server accepted this host over such a connection. */
  readonly onConnected?: (addresses: ConnectionAddresses | undefined) => void;
  /** A session, or the attempt at one, has ended; there will be another. */
  readonly onEnded?: () => void;
  /** The CAs that this host trusts have changed. */
  readonly onTrustKept?: () => void;
}

/** A joined host's session and certificate, kept up over whatever inventory and engine it has: the agent's, a test's, a simulated host's. */
export class HostLife {
  readonly #keeper: CertificateKeeper;
  readonly #supervisor: SessionSupervisor;

  constructor(parts: HostLifeParts) {
    const { kept, listeners, readFacts, bootClock, serverClock, log, random, onConnected, onEnded, onTrustKept } =
      parts;
    this.#keeper = new CertificateKeeper({
      kept,
      ask: (of, run) => asking(askIdentityService, listeners().identity)(of, run),
      readBootId: async () => (await readFacts()).bootId,
      bootClock,
      serverClock,
      log,
      random,
      onRenewed: (withinMs) => this.#supervisor.certificateRenewed(withinMs),
    });
    this.#supervisor = new SessionSupervisor({
      inventory: parts.inventory,
      engine: parts.engine,
      trust: new TrustKeeper({
        kept,
        log,
        ...(onTrustKept === undefined ? {} : { onKept: onTrustKept }),
        onTaken: (spreadMs) => this.#keeper.casChanged(spreadMs),
      }),
      bootClock,
      serverClock,
      log,
      random,
      readFacts,
      connect: () => Promise.resolve(connectSession(listeners().session, kept.credentials())),
      ...(onConnected === undefined ? {} : { onConnected }),
      ...(onEnded === undefined ? {} : { onEnded }),
      inquire: () => this.#keeper.inquire(),
      clockAheadMs: () => kept.clockAheadMs(),
    });
  }

  /** Until {@link stop}. */
  async run(): Promise<void> {
    this.#keeper.start();
    await this.#supervisor.run();
    this.#keeper.stop();
  }

  /** Leaves the present connection for another, as after a break of the network. */
  reconnect(): void {
    this.#supervisor.reconnect();
  }

  stop(): void {
    this.#supervisor.stop();
  }
}
