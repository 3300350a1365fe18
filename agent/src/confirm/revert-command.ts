import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type ConfirmCause, isConfirmCause } from '@modfleet/proto';
import type { ActionLog } from '../actions/action-host.ts';
import { codeOf } from '../error-words.ts';
import { FileWindowStore } from './file-window-store.ts';
import { LockedRevertOwner } from './locked-revert-owner.ts';
import { type RevertEnd, revertWindow, type ServerReached } from './revert.ts';
import { putBack } from './snapshot/put-back.ts';
import { ENDED_BY, type EndedBy, type WindowPlan } from './window-plan.ts';
import type { Exec } from '../exec/exec.ts';
import { NodeExec } from '../exec/node-exec.ts';
import { FsHostFiles } from '../host/fs-host-files.ts';
import type { HostFiles } from '../host/host-files.ts';
import { ProcSysSettings } from '../host/host-settings.ts';
import { FsHostWrites } from '../host/host-writes.ts';
import { HostBootClock } from '../time/boot-clock.ts';

/** How long a reboot may take to end this process. */
const REBOOT_LIMIT_MS = 60_000;

/** A server that answers at all does so in milliseconds. */
const REACH_LIMIT_MS = 5_000;

export interface RevertCommandOptions {
  readonly stateDir: string;
  readonly by: EndedBy;
  readonly cause: ConfirmCause | undefined;
  /** The one window that is meant; undefined: whichever is open. */
  readonly actionId?: string | undefined;
  readonly mayReboot?: boolean | undefined;
  readonly unreadableMs?: number | undefined;
  readonly log: ActionLog;
}

/** Ends an open confirm window by putting the host back; `by` a timer not before its deadline. Without a window it does nothing. */
export async function revertCommand({ stateDir, log, ...order }: RevertCommandOptions): Promise<RevertEnd> {
  const files = new FsHostFiles('/');
  const exec = new NodeExec();
  const clock = new HostBootClock();
  const store = new FileWindowStore(stateDir);
  const sleep = (ms: number): Promise<void> => delay(ms);
  const ports = { files, exec, settings: new ProcSysSettings(), writes: new FsHostWrites(), clock, sleep };
  return revertWindow(
    {
      ...ports,
      store,
      log,
      owner: new LockedRevertOwner(exec, stateDir, log),
      putBack: (before, rights) => putBack(ports, before, rights),
      reboot: () => reboot(files, exec),
      reachesServer,
    },
    order,
  );
}

/** What says that this process, or this machine at the moment, cannot ask: a sandbox, no more open files, no memory. */
const CANNOT_ASK = ['EAFNOSUPPORT', 'EPERM', 'EACCES', 'EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS'];

/** Whether anything answers at the server's address: a refused connection comes from there too, and a reboot would not help against it. */
export function reachesServer({ server: { host, port } }: Pick<WindowPlan, 'server'>): Promise<ServerReached> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: REACH_LIMIT_MS });
    const finish = (reached: ServerReached): void => {
      socket.destroy();
      resolve(reached);
    };
    socket.once('connect', () => finish('answers'));
    socket.once('timeout', () => finish('silent'));
    socket.once('error', (error) => finish(reachedBy(codeOf(error))));
  });
}

/** What an attempt says that ended with this error. Pure. */
export function reachedBy(code: string | undefined): ServerReached {
  if (code === 'ECONNREFUSED') return 'answers';
  return code !== undefined && CANNOT_ASK.includes(code) ? 'cannot_ask' : 'silent';
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

/** A revert that ended so is to be started again: what it could not read may be readable then. */
const AGAIN_EXIT_CODE = 1;

/** `revert [--state-dir DIR] [--by WHO] [--cause CAUSE] [--action ID] [--no-reboot]`, for every program that has it. The exit code. */
export async function revertByArguments(
  args: readonly string[],
  defaults: Pick<RevertCommandOptions, 'stateDir' | 'log'>,
): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      'state-dir': { type: 'string' },
      by: { type: 'string' },
      cause: { type: 'string' },
      action: { type: 'string' },
      'no-reboot': { type: 'boolean' },
    },
  });
  const { by = 'agent', cause = '' } = values;
  const end = await revertCommand({
    stateDir: values['state-dir'] ?? defaults.stateDir,
    by: ENDED_BY.find((one) => one === by) ?? 'agent',
    cause: isConfirmCause(cause) ? cause : undefined,
    actionId: values.action,
    mayReboot: values['no-reboot'] !== true,
    log: defaults.log,
  });
  return end === 'unreadable' ? AGAIN_EXIT_CODE : 0;
}
