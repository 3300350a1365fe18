import { setTimeout as delay } from 'node:timers/promises';
import type { ActionLog } from '../actions/action-host.ts';
import type { ConfirmWindows } from '../actions/confirm-windows.ts';
import type { Exec } from '../exec/exec.ts';
import type { HostFiles } from '../host/host-files.ts';
import { ProcSysSettings } from '../host/host-settings.ts';
import type { HostWrites } from '../host/host-writes.ts';
import type { BootClock, ServerClock } from '../time/clock.ts';
import type { Confirmer } from './confirmer.ts';
import { FileWindowStore } from './file-window-store.ts';
import { LockedRevertOwner } from './locked-revert-owner.ts';
import { markOf } from './process-mark.ts';
import { HostRevertTimer } from './revert-timer.ts';
import { putBack } from './snapshot/put-back.ts';
import { checkSnapshot, readSnapshot } from './snapshot/read-snapshot.ts';
import { WindowKeeper } from './window-keeper.ts';
import { windowObstacle } from './window-obstacle.ts';
import type { ServerAddress } from './window-plan.ts';

/** What an engine gives to have windows. */
export interface HostWindowsOptions {
  readonly files: HostFiles;
  readonly exec: Exec;
  readonly writes?: HostWrites | undefined;
  readonly clock: BootClock;
  readonly serverClock: ServerClock;
  readonly stateDir: string;
  readonly log: ActionLog;
  /** Where the server is, whose silence lets this host reboot to recover; without it it never does. */
  readonly sessionAddress?: (() => Promise<ServerAddress | undefined>) | undefined;
  readonly rebootToRecover?: boolean | undefined;
}

/** For an engine that only looks: says whether a window could be given, opens none and touches none. */
export function lookingWindows({
  files,
  exec,
  stateDir,
}: Pick<HostWindowsOptions, 'files' | 'exec' | 'stateDir'>): ConfirmWindows {
  const timer = new HostRevertTimer(files, exec, stateDir);
  const no = new Error('an engine that only looks has no confirm windows');
  return {
    obstacle: () => windowObstacle(timer, () => checkSnapshot(files, exec)),
    open: async () => ({ kind: 'failed', code: 'unsupported', message: no.message }),
    putBack: () => Promise.reject(no),
    ask: () => Promise.reject(no),
    giveUp: () => Promise.reject(no),
    again: () => Promise.reject(no),
    afterCrash: async () => undefined,
    tidy: async () => undefined,
    close: async () => undefined,
  };
}

/** The confirm windows of this machine. */
export function createWindows(
  options: HostWindowsOptions,
  confirmer: Confirmer,
  bootId: () => Promise<string>,
): ConfirmWindows {
  const { files, exec, clock, serverClock, stateDir, log } = options;
  const owner = new LockedRevertOwner(exec, stateDir, log);
  const { writes } = options;
  const ports = { files, exec, writes, settings: new ProcSysSettings(), clock, sleep: (ms: number) => delay(ms) };
  return new WindowKeeper({
    store: new FileWindowStore(stateDir),
    timer: new HostRevertTimer(files, exec, stateDir),
    confirmer,
    clock,
    serverClock,
    log,
    bootId,
    agent: () => markOf(files, process.pid),
    atWork: () => owner.atWork(),
    checkSnapshot: () => checkSnapshot(files, exec),
    snapshot: (kmods) => readSnapshot(files, exec, kmods),
    // What the kmods are to be, the plan of the action says; here only what hangs on them is brought back.
    putBack: (before) => putBack(ports, before, { kmods: 'none', network: true }),
    rebootToRecover: options.rebootToRecover ?? false,
    server: options.sessionAddress ?? (async () => undefined),
  });
}
