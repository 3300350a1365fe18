import { randomUUID } from 'node:crypto';
import { type HostFacts, outcomeWord } from '@modfleet/proto';
import type { ActionEngine } from '../../agent/src/actions/action-engine.ts';
import { createActionEngine } from '../../agent/src/actions/host-action-engine.ts';
import { MemoryJournal } from '../../agent/src/actions/journal/memory-journal.ts';
import { createInventory } from '../../agent/src/facets/host-inventory.ts';
import type { Inventory } from '../../agent/src/facets/inventory.ts';
import { makeCertificateRequest } from '../../agent/src/identity/certificate-request.ts';
import { loadOrMakeKey } from '../../agent/src/identity/host-key.ts';
import { readHostFacts } from '../../agent/src/identity/host-facts.ts';
import { joinHost } from '../../agent/src/identity/join-host.ts';
import { KeptIdentity } from '../../agent/src/identity/kept-identity.ts';
import { MemoryIdentityStore } from '../../agent/src/identity/memory-identity-store.ts';
import type { Log } from '../../agent/src/log.ts';
import { HostLife } from '../../agent/src/session/host-life.ts';
import type { BootClock } from '../../agent/src/time/clock.ts';
import { OffsetServerClock } from '../../agent/src/time/server-clock.ts';
import type { CapturedKernel } from './captured-kernel.ts';
import type { HostPlan } from './host-kinds.ts';
import { KernelExec } from './kernel/kernel-exec.ts';
import { KernelFiles } from './kernel/kernel-files.ts';
import { KernelWrites } from './kernel/kernel-writes.ts';
import { type Behaviour, SimulatedKernel } from './kernel/simulated-kernel.ts';

/** Until the server says otherwise, ms. Ten thousand hosts share the cores that look at devices and files for them: once, when they come up, until they are told. */
const FIRST_INTERVALS = { pollMs: 2_000, quietPollMs: 15_000, facetMs: 3_600_000 };
/** Simulated machines never sleep, so this process's own clock will do; /proc/uptime, asked by ten thousand hosts every two seconds, took an eighth of a core. */
const BOOT_CLOCK: BootClock = { nowMs: () => Math.round(performance.now()) };
const POLICY = { allow: [], deny: [], protected: [], window: [], window_limit: 600 };

export interface SwarmServer {
  readonly host: string;
  readonly identityPort: number;
}

export interface SwarmHostParts {
  readonly plan: HostPlan;
  /** Loopback address that it connects from. */
  readonly localAddress: string;
  readonly captured: CapturedKernel;
  readonly behaviour: Behaviour;
  /** How long a step takes, ms. */
  readonly stepMs: () => number;
  /** How long a routine that hangs is waited for, ms; absent: as long as the agent does. */
  readonly hangMs?: number;
  readonly log: Log;
  readonly random: () => number;
  /** An action has ended here. @param outcome in the words of the API. */
  readonly onResult: (outcome: string) => void;
  /** A request has reached this host's engine. */
  readonly onRequest?: (actionId: string) => void;
}

/** Hears of a host's sessions. */
export interface SessionListener {
  /** The server has accepted one. */
  connected(): void;
  /** It has ended, and the host tries again. */
  lost(): void;
}

/**
 * A host that does all that an agent does, over a kernel that is simulated: the agent's own identity, session, inventory and engine, behind them its two
 * doors. Courier and helper are one here, and nothing is on a disk.
 */
export class SwarmHost {
  readonly plan: HostPlan;
  readonly kernel: SimulatedKernel;
  readonly #parts: SwarmHostParts;
  readonly files: KernelFiles;
  readonly exec: KernelExec;
  readonly writes: KernelWrites;
  readonly #store = new MemoryIdentityStore();
  readonly #journal = new MemoryJournal();
  readonly #clock = BOOT_CLOCK;
  /** Runs from {@link boot} until {@link vanish}. */
  #inventory: Inventory | undefined;
  #engine: ActionEngine | undefined;
  #life: { readonly life: HostLife; readonly ended: Promise<void> } | undefined;

  constructor(parts: SwarmHostParts) {
    const { plan, captured, behaviour } = parts;
    this.#parts = parts;
    this.plan = plan;
    const texts = new Map([
      ['/proc/sys/kernel/hostname', `${plan.name}\n`],
      ['/etc/hostname', `${plan.name}\n`],
      ['/proc/sys/kernel/random/boot_id', `${randomUUID()}\n`],
      ['/etc/machine-id', `${randomUUID().replaceAll('-', '')}\n`],
      ['/proc/sys/kernel/tainted', '0\n'],
      ['/sys/kernel/oops_count', '0\n'],
      ['/sys/kernel/warn_count', '0\n'],
    ]);
    this.kernel = new SimulatedKernel(captured.build, texts, plan.kmods, behaviour);
    this.files = new KernelFiles(captured.tree, this.kernel);
    this.exec = new KernelExec(this.kernel, parts.stepMs, parts.hangMs);
    this.writes = new KernelWrites(this.kernel);
  }

  /** Looks at the whole host once, as an agent does when its machine comes up; from then on it watches. */
  async boot(): Promise<void> {
    if (this.#inventory !== undefined) return;
    const { captured, log } = this.#parts;
    const inventory = createInventory({
      files: this.files,
      exec: this.exec,
      clock: this.#clock,
      collectAvailable: () => Promise.resolve(captured.available),
      attributionOf: (kmod) => this.#engine?.attributionOf(kmod),
      log,
    });
    this.#inventory = inventory;
    await inventory.start(FIRST_INTERVALS);
  }

  /** Makes it a host of the server. @throws as joinHost */
  async join(server: SwarmServer, joinString: string): Promise<void> {
    await joinHost({
      server: { host: server.host, port: server.identityPort, localAddress: this.#parts.localAddress },
      joinString,
      facts: await this.#facts(),
      store: this.#store,
      makeRequest: makeCertificateRequest,
    });
  }

  get isThere(): boolean {
    return this.#life !== undefined;
  }

  /** Connects, and stays until {@link vanish}. Resolves when it has begun. */
  async appear(listener: SessionListener): Promise<void> {
    const identity = await this.#store.load();
    if (identity === undefined || this.#life !== undefined) throw new Error(`${this.plan.name} cannot appear now`);
    await this.boot();
    const inventory = this.#inventory;
    if (inventory === undefined) throw new Error(`${this.plan.name} was switched off while it came up`);
    const { log, random } = this.#parts;
    const bootClock = this.#clock;
    const serverClock = new OffsetServerClock(bootClock);
    const kept = new KeptIdentity(this.#store, identity, await loadOrMakeKey(this.#store), bootClock);
    const engine: ActionEngine = createActionEngine({
      files: this.files,
      exec: this.exec,
      writes: this.writes,
      clock: bootClock,
      serverClock,
      stateDir: '/var/lib/modfleet',
      policy: { mode: 'act', ...POLICY },
      // It connects over loopback, which stands for the way through its one card: that of its default route.
      serverRoute: () => undefined,
      log,
      hostId: identity.hostId,
      mayChange: true,
      journal: this.#journal,
    });
    const { onRequest } = this.#parts;
    if (onRequest !== undefined) {
      const submit = engine.submit.bind(engine);
      engine.submit = (request) => {
        onRequest(request.actionId);
        submit(request);
      };
    }
    engine.onResult(({ outcome }) => this.#parts.onResult(outcomeWord(outcome) ?? 'unknown'));
    this.#engine = engine;
    const { server } = identity;
    const { localAddress } = this.#parts;
    const life = new HostLife({
      kept,
      inventory,
      engine,
      bootClock,
      serverClock,
      log,
      random,
      listeners: () => ({
        session: { host: server.host, port: server.sessionPort, localAddress },
        identity: { host: server.host, port: server.identityPort, localAddress },
      }),
      readFacts: () => this.#facts(),
      onEnded: () => listener.lost(),
      onConnected: () => listener.connected(),
    });
    await engine.start();
    const ended = life.run().then(() => engine.stop());
    this.#life = { life, ended };
  }

  /** Its network breaks for a moment: the agent stays, and connects again. */
  reconnect(): void {
    this.#life?.life.reconnect();
  }

  /** Goes without a word, as a machine that is switched off; its identity and journal stay. */
  async vanish(): Promise<void> {
    const [running, inventory] = [this.#life, this.#inventory];
    this.#life = undefined;
    this.#inventory = undefined;
    running?.life.stop();
    await running?.ended;
    await inventory?.stop();
  }

  #facts(): Promise<HostFacts> {
    return readHostFacts(this.files, { mode: 'act', policy: POLICY, root: '/' });
  }
}
