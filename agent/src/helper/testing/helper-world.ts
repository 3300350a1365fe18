import { duplexPair, type Duplex } from 'node:stream';
import type { ActionRequest } from '@modfleet/proto';
import { KmodActionEngine } from '../../actions/engine.ts';
import { MemoryJournal } from '../../actions/journal/memory-journal.ts';
import { aRequest, HOST_ID } from '../../actions/testing/builders.ts';
import { QuietLog, SimulatedClock, SimulatedHost, SimulatedKernel } from '../../actions/testing/simulated-host.ts';
import { HelperUnavailableError, linkOver, type OpenLink } from '../../courier/helper-link.ts';
import { ConfirmRelay } from '../confirm-relay.ts';
import { HelperConnection } from '../helper-connection.ts';
import { TestCommands } from '../../testing/test-commands.ts';
import type { TrustedCas } from '../../identity/trust.ts';
import { HelperRefusal } from '../helper-refusal.ts';
import { RelayedServerClock } from '../relayed-clock.ts';
import type { NewestCommand } from '../newest-command.ts';
import { learnCas } from '../trusted-cas.ts';
import { CommandVerifier } from '../verify/command-verifier.ts';
import { HELPER_PROTOCOL, type HelperKind } from '../wire/protocol.ts';
import type { CourierWord } from '../wire/strict-codec.ts';

/** Made once: a key takes its time. */
const COMMANDS = await TestCommands.create();

/** 2026-01-01, ms since the epoch; boot time and server time are one here. */
const NOW_MS = 1_767_225_600_000;

/** A helper that serves one connection. */
export interface RunningHelper {
  readonly kind: HelperKind;
  readonly host: SimulatedHost;
  /** The helper's end of the connection: destroyed, it is as if its process had been killed. */
  readonly end: Duplex;
  readonly done: Promise<void>;
}

/** One machine: its kernel and its helper's disk outlive helpers and couriers. */
export class HelperWorld {
  readonly kernel = new SimulatedKernel();
  readonly clock = new SimulatedClock();
  readonly log = new QuietLog();
  readonly helpers: RunningHelper[] = [];
  /** The server that this machine believes, unless `trust` says another. */
  readonly commands = COMMANDS;
  trust: TrustedCas = { generation: 0, cas: [COMMANDS.authority] };
  /** The helper's disk takes no other list of CAs. */
  isTrustFull = false;
  /** The host that this machine is. */
  self = HOST_ID;
  readonly newest = new MemoryNewestCommand();
  readonly confirms: ConfirmRelay[] = [];
  /** The helper's disk. */
  journal = new MemoryJournal();
  hostId: string | undefined;
  /** Why no helper can be reached; undefined when one can. */
  unreachable: string | undefined;
  /** Called with each new host, before it is asked anything. */
  prepare: (host: SimulatedHost, kind: HelperKind) => void = () => undefined;

  constructor() {
    this.clock.ms = NOW_MS;
  }

  request(changes: Parameters<typeof aRequest>[0] = {}) {
    return this.commands.sign(this.unsigned(changes));
  }

  /** The same, not signed. Each action id has a number of its own: the ids of tests count up. */
  unsigned(changes: Parameters<typeof aRequest>[0] = {}) {
    const number = Number.parseInt(aRequest(changes).actionId.slice(-4), 16);
    const sequence = Number.isNaN(number) ? 1 : number + 1;
    const whole = { epoch: 1, sequence, notBeforeMs: NOW_MS - 1_000, expiresAtMs: NOW_MS + 60_000 };
    return aRequest({ ...whole, ...changes });
  }

  /** What a courier of this machine says first. */
  opening(): CourierWord {
    return {
      $case: 'open',
      value: {
        protocol: HELPER_PROTOCOL,
        hostId: this.self,
        time: { serverTimeMs: this.clock.ms, errorMs: 5, boottimeMs: this.clock.ms },
        way: undefined,
        caCertificates: [this.commands.authority.raw],
        trust: undefined,
      },
    };
  }

  readonly openLink: OpenLink = (kind) => {
    if (this.unreachable !== undefined) return Promise.reject(new HelperUnavailableError(this.unreachable));
    return Promise.resolve(linkOver(this.connect(kind)));
  };

  /** A raw connection to a new helper: the courier's end. */
  connect(kind: HelperKind = 'act'): Duplex {
    const [courierEnd, helperEnd] = duplexPair();
    const host = new SimulatedHost(this.kernel);
    this.prepare(host, kind);
    const serverClock = new RelayedServerClock(this.clock.boot);
    const confirms = new ConfirmRelay();
    this.confirms.push(confirms);
    const connection = new HelperConnection({
      kind,
      input: helperEnd,
      output: helperEnd,
      bootClock: this.clock.boot,
      serverClock,
      confirms,
      verifier: new CommandVerifier(() => ({ hostId: this.self, authorities: this.trust.cas }), serverClock),
      learn: async (bundle) => {
        const keep = (): Promise<void> =>
          this.isTrustFull ? Promise.reject(new Error('ENOSPC: no space left on device')) : Promise.resolve();
        this.trust = await learnCas(this.trust, bundle, this.log, keep);
      },
      log: this.log,
      signal: new AbortController().signal,
      admit: async (hostId) => {
        this.hostId ??= hostId;
        if (this.hostId !== hostId) throw new HelperRefusal('wrong_host', 'another host');
        return this.newest;
      },
      createEngine: async (_hostId, ties) =>
        new KmodActionEngine({
          host,
          journal: kind === 'act' ? new MemoryDisk(this.journal) : new MemoryJournal(),
          clock: this.clock.boot,
          serverClock,
          log: this.log,
          onStep: ties.onStep,
          stopWaitMs: () => 20_000,
          sleep: (_ms, signal) =>
            new Promise((resolve, reject) => {
              if (signal.aborted) reject(new Error('stopped'));
              setImmediate(resolve);
            }),
        }),
    });
    const done = connection.run().then(() => void helperEnd.end());
    this.helpers.push({ kind, host, end: helperEnd, done });
    return courierEnd;
  }
}

/** As on a disk that outlives helpers, and may be full. */
export class MemoryNewestCommand implements NewestCommand {
  newest: ActionRequest | undefined;
  isFull = false;

  get(): ActionRequest | undefined {
    return this.newest;
  }

  keep(request: ActionRequest): Promise<void> {
    if (this.isFull) return Promise.reject(new Error('ENOSPC: no space left on device'));
    this.newest = request;
    return Promise.resolve();
  }
}

/** One process's open journal over the disk that outlives it. */
class MemoryDisk extends MemoryJournal {
  readonly #disk: MemoryJournal;

  constructor(disk: MemoryJournal) {
    super();
    this.#disk = disk;
  }

  override open(): ReturnType<MemoryJournal['open']> {
    return this.#disk.open();
  }
  override append(...args: Parameters<MemoryJournal['append']>): Promise<void> {
    return this.#disk.append(...args);
  }
  override rewrite(...args: Parameters<MemoryJournal['rewrite']>): Promise<void> {
    return this.#disk.rewrite(...args);
  }
}

export { HOST_ID };
