import { HostFacts, formatJoinString } from '@modfleet/proto';
import type { IdentityStatus } from '@modfleet/proto';
import { createHash } from 'node:crypto';
import { makeCertificateRequest } from '../../../agent/src/identity/certificate-request.ts';
import { asking, CertificateKeeper } from '../../../agent/src/identity/certificate-keeper.ts';
import { askIdentityService } from '../../../agent/src/identity/identity-questions.ts';
import { joinHost } from '../../../agent/src/identity/join-host.ts';
import { KeptIdentity } from '../../../agent/src/identity/kept-identity.ts';
import { TrustKeeper } from '../../../agent/src/identity/trust-keeper.ts';
import { loadOrMakeKey } from '../../../agent/src/identity/host-key.ts';
import { MemoryIdentityStore } from '../../../agent/src/identity/memory-identity-store.ts';
import { certificateLife } from '../../../agent/src/identity/renewal-plan.ts';
import { createLog } from '../../../agent/src/log.ts';
import { connectSession } from '../../../agent/src/session/h2-transport.ts';
import { SessionSupervisor } from '../../../agent/src/session/supervisor.ts';
import { FakeEngine } from '../../../agent/src/session/testing/fake-engine.ts';
import { FakeInventory } from '../../../agent/src/session/testing/fake-inventory.ts';
import { HostBootClock } from '../../../agent/src/time/boot-clock.ts';
import { OffsetServerClock } from '../../../agent/src/time/server-clock.ts';
import type { AgentSide } from '../../../services/server/src/testing/agent-side.ts';

const portOf = (address: string): number => Number(address.split(':').at(-1));
const HOST = '127.0.0.1';

/** One line of the log. */
interface Line {
  readonly msg: string;
  readonly retryInMs?: number;
}

/** The agent's identity and session as they are, between an inventory and an engine that do nothing. */
export class Agent {
  readonly #kept: KeptIdentity;
  readonly #facts: HostFacts;
  readonly #lines: Line[] = [];
  #onLine: () => void = () => undefined;
  #running: { readonly supervisor: SessionSupervisor; readonly ended: Promise<void> } | undefined;

  constructor(kept: KeptIdentity, facts: HostFacts) {
    this.#kept = kept;
    this.#facts = facts;
  }

  get hostId(): string {
    return this.#kept.current.hostId;
  }

  certificateEndsMs(): number {
    return certificateLife(this.#kept.current.certificatePem).toMs;
  }

  /** All that was logged. */
  said(): string {
    return this.#lines.map(({ msg }) => msg).join('\n');
  }

  /** The wait that was announced last, ms. */
  waits(): number | undefined {
    return this.#lines.findLast(({ retryInMs }) => retryInMs !== undefined)?.retryInMs;
  }

  /** Resolves when such a line was logged. */
  async hears(pattern: RegExp): Promise<void> {
    while (!this.#lines.some(({ msg }) => pattern.test(msg)))
      await new Promise<void>((resolve) => (this.#onLine = resolve));
  }

  /** Runs against this server until `stop`; resolves once the host is connected. */
  async connectTo(side: AgentSide): Promise<void> {
    const { keeper, bootClock, serverClock, log } = this.#parts(side);
    const supervisor = new SessionSupervisor({
      trust: new TrustKeeper({ kept: this.#kept, log, onTaken: (spreadMs) => keeper.casChanged(spreadMs) }),
      inventory: new FakeInventory(),
      engine: new FakeEngine(),
      bootClock,
      serverClock,
      log,
      random: () => 0.5,
      readFacts: () => Promise.resolve(this.#facts),
      connect: () =>
        Promise.resolve(connectSession({ host: HOST, port: portOf(side.sessionAddress) }, this.#kept.credentials())),
      inquire: () => keeper.inquire(),
      clockAheadMs: () => this.#kept.clockAheadMs(),
    });
    this.#running = { supervisor, ended: supervisor.run() };
    await this.hears(/^connected$/);
  }

  /** Asks this server for another certificate, as when one is due, and keeps it. */
  async renewAt(side: AgentSide): Promise<IdentityStatus> {
    const server = { host: HOST, port: portOf(side.identityAddress) };
    const { identity, status } = await askIdentityService(this.#kept.current, this.#kept.keyPem, server, (ask) =>
      ask.renew(this.#facts.bootId),
    );
    if (identity !== undefined) await this.#kept.amend({ certificatePem: identity.certificatePem });
    return status;
  }

  async stop(): Promise<void> {
    this.#running?.supervisor.stop();
    await this.#running?.ended;
  }

  #parts(side: AgentSide) {
    const bootClock = new HostBootClock();
    const serverClock = new OffsetServerClock(bootClock);
    const log = createLog('info', (line) => {
      this.#lines.push(JSON.parse(line) as Line);
      this.#onLine();
    });
    const keeper = new CertificateKeeper({
      kept: this.#kept,
      ask: asking(askIdentityService, { host: HOST, port: portOf(side.identityAddress) }),
      readBootId: () => Promise.resolve(this.#facts.bootId),
      bootClock,
      serverClock,
      log,
      random: () => 0.5,
      onRenewed: () => undefined,
    });
    return { keeper, bootClock, serverClock, log };
  }
}

/** Machines that have joined, with clocks of their own from then on. */
export async function hostsOf(
  side: AgentSide,
  count: number,
  wallClock: (nowMs: number) => number = (nowMs) => nowMs,
): Promise<Agent[]> {
  const token = await side.joinToken({ maxUses: count });
  const caFingerprint = createHash('sha256').update(side.ca.certificate).digest();
  const server = { host: HOST, port: portOf(side.identityAddress) };
  const made: Agent[] = [];
  for (let number = 0; number < count; number += 1) {
    const store = new MemoryIdentityStore();
    const facts = HostFacts.fromPartial({ hostname: `h${number}`, bootId: crypto.randomUUID() });
    const identity = await joinHost({
      server,
      joinString: formatJoinString({ token, caFingerprint }),
      facts,
      store,
      makeRequest: makeCertificateRequest,
    });
    const kept = new KeptIdentity(store, identity, await loadOrMakeKey(store), new HostBootClock(), () =>
      wallClock(Date.now()),
    );
    made.push(new Agent(kept, facts));
  }
  return made;
}
