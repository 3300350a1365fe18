import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { ActionLog } from '../actions/action-host.ts';
import { createActionEngine } from '../actions/host-action-engine.ts';
import { MemoryJournal } from '../actions/journal/memory-journal.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { FileLock } from '../exec/file-lock.ts';
import { NodeExec, NoExec } from '../exec/node-exec.ts';
import { ReadOnlyExec } from '../exec/read-only-exec.ts';
import { FsHostFiles } from '../host/fs-host-files.ts';
import { FsHostWrites } from '../host/host-writes.ts';
import { HostBootClock } from '../time/boot-clock.ts';
import { noRecovery, sessionAddressOf } from '../confirm/session-address.ts';
import { ConfirmRelay } from './confirm-relay.ts';
import { type EngineTies, HelperConnection, type HelperEngine } from './helper-connection.ts';
import { admitHost, keptHostId } from './host-id.ts';
import { FileNewestCommand } from './newest-command.ts';
import { refuseForeignFiles } from './own-files.ts';
import { RelayedServerClock } from './relayed-clock.ts';
import { readSafeSettings } from './safe-settings.ts';
import { takeTurn } from './state-turn.ts';
import type { TrustedCas } from '../identity/trust.ts';
import { admitCas, keepCas, keptCas, learnCas } from './trusted-cas.ts';
import { CommandVerifier } from './verify/command-verifier.ts';
import type { HelperKind } from './wire/protocol.ts';

/** What has begun is brought to its end although the courier is gone: a load may wait for firmware (65 s), and its plan have more steps. */
const COURIER_GONE_MS = 180_000;

/** The host goes down, or somebody stops the unit. */
const TOLD_TO_END_MS = 5_000;

export interface RunHelperOptions {
  readonly kind: HelperKind;
  /** Settings; the default place when undefined. */
  readonly config: string | undefined;
  readonly stateDir: string;
  /** The host that this machine is, told by whoever started this as itself; the helper's own copy counts when undefined. */
  readonly hostId: string | undefined;
  /** The helper that acts is a unit of its own, with the capability that is kept from this one. */
  readonly isApart: boolean;
  readonly input: Readable;
  readonly output: Writable;
  readonly log: ActionLog;
  readonly signal: AbortSignal;
}

/** Serves one courier to its end. Never rejects. */
export async function runHelper(options: RunHelperOptions): Promise<void> {
  const { kind, stateDir, log } = options;
  const lost = new AbortController();
  const signal = AbortSignal.any([options.signal, lost.signal]);
  const bootClock = new HostBootClock();
  const serverClock = new RelayedServerClock(bootClock);
  const confirms = new ConfirmRelay();
  let lock: FileLock | undefined;
  let settings: AgentConfig | undefined;
  let self = '';
  let trust: TrustedCas = { generation: 0, cas: [] };
  // Whoever started this as itself has this process's rights, and says whom to believe as it says which host this is.
  const isOwn = options.hostId !== undefined;
  const connection = new HelperConnection({
    kind,
    input: options.input,
    output: options.output,
    bootClock,
    serverClock,
    confirms,
    verifier: new CommandVerifier(() => ({ hostId: self, authorities: trust.cas }), serverClock),
    log,
    signal,
    admit: async (hostId, told) => {
      settings = await readSafeSettings(options.config, process.geteuid?.() ?? -1);
      if (kind === 'evidence') {
        // Who only looks writes nothing.
        trust = (isOwn ? undefined : await keptCas(stateDir)) ?? { generation: 0, cas: told };
        self = options.hostId ?? (await keptId(stateDir)) ?? hostId;
        return FileNewestCommand.open(stateDir);
      }
      // Of this machine, whatever root tree is looked at.
      lock = await takeTurn(new NodeExec(), stateDir, signal);
      lock.onLost(() => {
        log.error({}, 'the lock of the state folder is lost; this helper brings its step to an end and goes');
        lost.abort();
      });
      await refuseForeignFiles(stateDir, process.geteuid?.() ?? -1);
      await admitHost(stateDir, hostId, options.hostId);
      trust = isOwn ? { generation: 0, cas: told } : await admitCas(stateDir, told);
      self = hostId;
      return FileNewestCommand.openToKeep(stateDir);
    },
    learn: async (bundle) => {
      const keeps = kind === 'act' && !isOwn;
      trust = await learnCas(trust, bundle, log, (next) => (keeps ? keepCas(stateDir, next) : Promise.resolve()));
    },
    createEngine: async (hostId, ties) => {
      if (settings === undefined) throw new Error('the settings were not read');
      const clocks = { clock: bootClock, serverClock, confirms };
      return kind === 'act'
        ? actingEngine({ options, settings, hostId, ties, ...clocks })
        : lookingEngine({ options, settings, hostId: (await keptId(stateDir)) ?? hostId, ties, ...clocks });
    },
  });
  await connection.run();
  await lock?.release();
}

interface EngineInput {
  readonly options: RunHelperOptions;
  readonly settings: AgentConfig;
  readonly hostId: string;
  readonly ties: EngineTies;
  readonly clock: HostBootClock;
  readonly serverClock: RelayedServerClock;
  readonly confirms: ConfirmRelay;
}

function actingEngine(input: EngineInput): HelperEngine {
  const { options, settings } = input;
  // Whoever started this as itself has this process's rights; systemd does not say for which host.
  const isApart = options.hostId === undefined;
  const why = noRecovery(settings, isApart);
  if (why !== undefined) options.log.warn({}, why);
  return createActionEngine({
    ...shared(input),
    exec: settings.root === '/' ? new NodeExec() : new NoExec(),
    writes: settings.root === '/' ? new FsHostWrites() : undefined,
    stopWaitMs: () => (options.signal.aborted ? TOLD_TO_END_MS : COURIER_GONE_MS),
    confirmer: input.confirms,
    sessionAddress: () => sessionAddressOf(settings, isApart),
    rebootToRecover: settings.reboot_to_recover,
  });
}

/** Journals in memory, and passes no door that changes anything. */
function lookingEngine(input: EngineInput): HelperEngine {
  const { settings } = input;
  return createActionEngine({
    ...shared(input),
    exec: settings.root === '/' ? new ReadOnlyExec(new NodeExec()) : new NoExec(),
    journal: new MemoryJournal(),
    mayChange: input.options.isApart ? true : undefined,
    stopWaitMs: () => TOLD_TO_END_MS,
  });
}

function shared({ options, settings, hostId, ties, clock, serverClock }: EngineInput) {
  return {
    files: new FsHostFiles(settings.root),
    clock,
    serverClock,
    stateDir: options.stateDir,
    ownPaths: [settings.state_dir, path.dirname(process.argv[1] ?? '/')],
    policy: { mode: settings.mode, ...settings.policy },
    serverRoute: ties.serverRoute,
    onStep: ties.onStep,
    log: options.log,
    hostId,
  };
}

/** The evidence helper may not be able to read the other's folder; it then believes the courier: it changes nothing. */
async function keptId(stateDir: string): Promise<string | undefined> {
  return keptHostId(stateDir).catch(() => undefined);
}
