import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type ConfirmCause, isConfirmCause } from '@modfleet/proto';
import type { ActionLog } from '../actions/action-host.ts';
import { FileWindowStore } from './file-window-store.ts';
import { LockedRevertOwner } from './locked-revert-owner.ts';
import { type RevertEnd, revertWindow } from './revert.ts';
import { putBack } from './snapshot/put-back.ts';
import { ENDED_BY, type EndedBy, type WindowPlan } from './window-plan.ts';
import type { WindowStore } from './window-store.ts';
import type { Exec } from '../exec/exec.ts';
import { NodeExec } from '../exec/node-exec.ts';
import { FsHostFiles } from '../host/fs-host-files.ts';
import type { HostFiles } from '../host/host-files.ts';
import { ProcSysSettings } from '../host/host-settings.ts';
import { HostBootClock } from '../time/boot-clock.ts';
import type { BootClock } from '../time/clock.ts';

/** How often the watchdog looks whether there is still a window: also how late it may begin. */
const WATCH_MS = 500;

/** How long a reboot may take to end this process. */
const REBOOT_LIMIT_MS = 60_000;

/** A server that answers at all does so in milliseconds. */
const REACH_LIMIT_MS = 5_000;

export interface RevertCommandOptions {
  readonly stateDir: string;
  readonly by: EndedBy;
  readonly cause: ConfirmCause | undefined;
  /** Until the window's deadline, or until there is no window any more. */
  readonly wait: boolean;
  readonly log: ActionLog;
}

/** Ends an open confirm window by putting the host back. Without one it does nothing. */
export async function revertCommand({ stateDir, by, cause, wait, log }: RevertCommandOptions): Promise<RevertEnd> {
  const files = new FsHostFiles('/');
  const exec = new NodeExec();
  const clock = new HostBootClock();
  const store = new FileWindowStore(stateDir);
  const sleep = (ms: number): Promise<void> => delay(ms);
  if (wait && !(await deadlineReached(store, clock))) return 'not_open';
  const ports = { files, exec, settings: new ProcSysSettings(), clock, sleep };
  return revertWindow(
    {
      ...ports,
      store,
      log,
      owner: new LockedRevertOwner(stateDir),
      putBack: (before, rights) => putBack(ports, before, rights),
      reboot: () => reboot(files, exec),
      reachesServer,
    },
    { by, cause },
  );
}

/** False: the window ended before its deadline. */
async function deadlineReached(store: WindowStore, clock: BootClock): Promise<boolean> {
  for (;;) {
    const open = await store.look();
    if (open.kind !== 'pending') return false;
    if (clock.nowMs() >= open.plan.deadlineBootMs) return true;
    await delay(WATCH_MS);
  }
}

/** Whether anything answers at the server's address: a refused connection comes from there too, and a reboot would not help against it. */
function reachesServer({ server: { host, port } }: WindowPlan): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: REACH_LIMIT_MS });
    const finish = (reached: boolean): void => {
      socket.destroy();
      resolve(reached);
    };
    socket.once('connect', () => finish(true));
    socket.once('timeout', () => finish(false));
    socket.once('error', (error: NodeJS.ErrnoException) => finish(error.code === 'ECONNREFUSED'));
  });
}

/**
 * In order, services first. Not by `reboot` where systemd runs: that asks logind, which refuses who lacks CAP_SYS_BOOT; the service manager takes a
 * job of root (systemctl(1), bus_verify_manage_units of systemd).
 */
async function reboot(files: HostFiles, exec: Exec): Promise<void> {
  const job = ['start', '--no-block', '--job-mode=replace-irreversibly', 'reboot.target'];
  const hasSystemd = (await files.stat('/run/systemd/system')).kind === 'ok';
  await (hasSystemd
    ? exec.run('systemctl', job, { timeoutMs: REBOOT_LIMIT_MS })
    : exec.run('reboot', [], { timeoutMs: REBOOT_LIMIT_MS }));
}

/** `revert [--state-dir DIR] [--by WHO] [--cause CAUSE] [--wait]`, for every program that has it. */
export async function revertByArguments(
  args: readonly string[],
  defaults: Pick<RevertCommandOptions, 'stateDir' | 'log'>,
): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      'state-dir': { type: 'string' },
      by: { type: 'string' },
      cause: { type: 'string' },
      wait: { type: 'boolean' },
    },
  });
  const { by = 'agent', cause = '', wait = false } = values;
  await revertCommand({
    stateDir: values['state-dir'] ?? defaults.stateDir,
    by: ENDED_BY.find((one) => one === by) ?? 'agent',
    cause: isConfirmCause(cause) ? cause : undefined,
    wait,
    log: defaults.log,
  });
}
