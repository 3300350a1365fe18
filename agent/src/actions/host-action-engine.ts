import { setTimeout as delay } from 'node:timers/promises';
import type { Exec } from '../exec/exec.ts';
import type { HostFiles } from '../host/host-files.ts';
import type { BootClock, ServerClock } from '../time/clock.ts';
import type { ActionEngine } from './action-engine.ts';
import type { ActionLog } from './action-host.ts';
import { KmodActionEngine } from './engine.ts';
import type { ActionPolicy } from './findings/facts.ts';
import { LinuxActionHost } from './host/linux-action-host.ts';
import { FileJournal } from './journal/file-journal.ts';
import type { ServerRoute } from './protection/routes.ts';

/** What an agent gives to have an engine. */
export interface HostActionEngineOptions {
  readonly files: HostFiles;
  readonly exec: Exec;
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
}

/** The engine of a real host. */
export function createActionEngine(options: HostActionEngineOptions): ActionEngine {
  const { files, exec, clock, serverClock, stateDir, policy, serverRoute, log, hostId } = options;
  const host = new LinuxActionHost(
    { files, exec, serverRoute, ownPaths: [stateDir, process.execPath] },
    policy,
    hostId,
  );
  return new KmodActionEngine({
    host,
    journal: new FileJournal(stateDir, () => host.bootId()),
    clock,
    serverClock,
    log,
    sleep: (ms, signal) => delay(ms, undefined, { signal, ref: false }),
  });
}
