import { HostFacts } from '@modfleet/proto';
import type { ActionEngine } from '../actions/action-engine.ts';
import type { ActionLog } from '../actions/action-host.ts';
import { HelperEngine } from '../courier/helper-engine.ts';
import type { OpenLink } from '../courier/helper-link.ts';
import { makeCertificateRequest } from '../identity/certificate-request.ts';
import { loadOrMakeKey } from '../identity/host-key.ts';
import type { IdentityStore } from '../identity/host-identity.ts';
import { joinHost } from '../identity/join-host.ts';
import { KeptIdentity } from '../identity/kept-identity.ts';
import { MemoryIdentityStore } from '../identity/memory-identity-store.ts';
import { bundleOf, trustOf } from '../identity/trust.ts';
import { createLog } from '../log.ts';
import { HostLife } from '../session/host-life.ts';
import { FakeEngine } from '../session/testing/fake-engine.ts';
import { FakeInventory, loadedSnapshot } from '../session/testing/fake-inventory.ts';
import type { BootClock, ServerClock } from '../time/clock.ts';
import { HostBootClock } from '../time/boot-clock.ts';
import { OffsetServerClock } from '../time/server-clock.ts';

/** Where a server is just now; it may come back on other ports. */
export interface LiveServer {
  readonly host: string;
  readonly identityPort: number;
  readonly sessionPort: number;
}

/** A machine's helper, and the clocks that it and its courier go by. */
export interface LiveHelper {
  readonly openLink: OpenLink;
  readonly clock: { readonly boot: BootClock; readonly server: ServerClock };
}

/** A host's identity and session as the real agent has them, against a real server; the inventory is a fake, and the engine, too, unless a helper is given. */
export class LiveAgent {
  readonly name: string;
  readonly store: IdentityStore;
  /** Its helper; none: its actions are nobody's. */
  helper: LiveHelper | undefined;
  readonly #server: () => LiveServer;
  readonly #lines: string[] = [];
  #running:
    | {
        readonly life: HostLife;
        readonly engine: ActionEngine;
        readonly run: Promise<void>;
      }
    | undefined;

  private constructor(name: string, store: IdentityStore, server: () => LiveServer) {
    this.name = name;
    this.store = store;
    this.#server = server;
  }

  /** @throws as joinHost */
  static async join(
    name: string,
    joinString: string,
    server: () => LiveServer,
    store: IdentityStore = new MemoryIdentityStore(),
  ): Promise<LiveAgent> {
    const { host, identityPort } = server();
    const facts = HostFacts.fromPartial({
      hostname: name,
      bootId: `boot-${name}`,
      packageFamily: 'deb',
      mode: 'act',
      policy: {},
    });
    await joinHost({
      server: { host, port: identityPort },
      joinString,
      facts,
      store,
      makeRequest: makeCertificateRequest,
    });
    return new LiveAgent(name, store, server);
  }

  /** What the agent logged, in order. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Connects, and stays. */
  async wake(): Promise<void> {
    const identity = await this.store.load();
    if (identity === undefined) throw new Error(`${this.name} has not joined`);
    const log = createLog('info', (line) => this.#lines.push((JSON.parse(line) as { msg: string }).msg));
    const bootClock = new HostBootClock();
    const serverClock = new OffsetServerClock(bootClock);
    const kept = new KeptIdentity(this.store, identity, await loadOrMakeKey(this.store), bootClock);
    const facts = HostFacts.fromPartial({
      hostname: this.name,
      bootId: `boot-${this.name}`,
      packageFamily: 'deb',
      mode: 'act',
      policy: {},
    });
    // A low draw: every wait that is spread is short.
    const random = (): number => 0.01;
    const engine = this.helper === undefined ? new FakeEngine() : this.#courier(this.helper, kept, log);
    const life = new HostLife({
      kept,
      inventory: new FakeInventory(loadedSnapshot('floppy')),
      engine,
      bootClock,
      serverClock,
      log,
      random,
      listeners: () => {
        const { host, identityPort, sessionPort } = this.#server();
        return { session: { host, port: sessionPort }, identity: { host, port: identityPort } };
      },
      readFacts: () => Promise.resolve(facts),
      onTrustKept: () => (engine instanceof HelperEngine ? engine.trustChanged() : undefined),
    });
    await engine.start();
    this.#running = { life, engine, run: life.run() };
  }

  /** Away from now on; what it keeps stays. */
  async sleep(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    if (running === undefined) return;
    running.life.stop();
    await running.run;
    await running.engine.stop();
  }

  #courier({ openLink, clock }: LiveHelper, kept: KeptIdentity, log: ActionLog): HelperEngine {
    return new HelperEngine({
      openLink,
      hostId: kept.current.hostId,
      authorities: () => trustOf(kept.current).cas.map((ca) => ca.raw),
      trust: () => bundleOf(kept.current),
      clock: clock.boot,
      serverClock: clock.server,
      serverRoute: () => undefined,
      confirmer: { confirm: () => Promise.resolve({ kind: 'unreachable', message: 'no' }) },
      log,
    });
  }
}
