import { setTimeout as delay } from 'node:timers/promises';
import type { Exec } from '../exec/exec.ts';
import type { HostFiles } from '../host/host-files.ts';
import type { HostWrites } from '../host/host-writes.ts';
import type { BootClock, ServerClock } from '../time/clock.ts';
import type { ActionLog } from './action-host.ts';
import { type EngineParts, KmodActionEngine } from './engine.ts';
import type { ActionPolicy } from './findings/facts.ts';
import { LinuxActionHost } from './host/linux-action-host.ts';
import type { Confirmer } from '../confirm/confirmer.ts';
import { createWindows, lookingWindows } from '../confirm/host-windows.ts';
import type { ServerAddress } from '../confirm/window-plan.ts';
import { FileJournal } from './journal/file-journal.ts';
import type { Journal } from './journal/journal.ts';
import type { ServerRoute } from './protection/routes.ts';

/** What an agent gives to have an engine. */
export interface HostActionEngineOptions {
  readonly files: HostFiles;
  readonly exec: Exec;
  /** Without it no file of the host is written: for an engine that only looks, and for captured trees. */
  readonly writes?: HostWrites | undefined;
  readonly clock: BootClock;
  readonly serverClock: ServerClock;
  /** Absolute; the journal is `actions.journal` in it. */
  readonly stateDir: string;
  readonly policy: ActionPolicy;
  /** The addresses of the session, while there is one. */
  readonly serverRoute: () => ServerRoute | undefined;
  readonly log: ActionLog;
  /** This host's id; requests for another one are refused. */
  readonly hostId: string;
  /** Other folders and programs that the agent stands on. */
  readonly ownPaths?: readonly string[];
  /** Whether whoever would act may, where that is not this process. */
  readonly mayChange?: boolean | undefined;
  /** In place of the file in `stateDir`: for an engine that only looks. */
  readonly journal?: Journal;
  /** Asks the server for confirms; without it this engine opens no confirm windows. */
  readonly confirmer?: Confirmer | undefined;
  /** Where the server is, whose silence lets this host reboot to recover; without it it never does. */
  readonly sessionAddress?: (() => Promise<ServerAddress | undefined>) | undefined;
  /** Policy `reboot_to_recover`. */
  readonly rebootToRecover?: boolean | undefined;
  readonly onStep?: EngineParts['onStep'];
  readonly stopWaitMs?: EngineParts['stopWaitMs'];
}

/** The engine of a real host. */
export function createActionEngine(options: HostActionEngineOptions): KmodActionEngine {
  const { files, exec, clock, serverClock, stateDir, policy, serverRoute, log, hostId } = options;
  const host = new LinuxActionHost(
    {
      files,
      exec,
      serverRoute,
      ownPaths: [stateDir, process.execPath, ...(options.ownPaths ?? [])],
      mayChange: options.mayChange,
    },
    policy,
    hostId,
    options.writes,
  );
  return new KmodActionEngine({
    host,
    windows:
      options.confirmer === undefined
        ? lookingWindows(options)
        : createWindows(options, options.confirmer, () => host.bootId()),
    journal: options.journal ?? new FileJournal(stateDir),
    clock,
    serverClock,
    log,
    sleep: (ms, signal) => delay(ms, undefined, { signal, ref: false }),
    ...(options.onStep === undefined ? {} : { onStep: options.onStep }),
    ...(options.stopWaitMs === undefined ? {} : { stopWaitMs: options.stopWaitMs }),
  });
}
