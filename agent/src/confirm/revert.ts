import type { ConfirmCause } from '@modfleet/proto';
import { messageOf } from '../error-words.ts';
import type { HostFiles } from '../host/host-files.ts';
import { valueOf } from '../host/read-outcome.ts';
import type { ActionLog } from '../actions/action-host.ts';
import type { BootClock } from '../time/clock.ts';
import { isAlive } from './process-mark.ts';
import { moveOf, type RevertMove } from './revert-move.ts';
import type { PutBackReport, PutBackRights } from './snapshot/put-back.ts';
import type { HostSnapshot } from './snapshot/host-snapshot.ts';
import { type EndedBy, type RevertReport, WINDOW_FORMAT, type WindowPlan } from './window-plan.ts';
import { NOT_KNOWN } from './window-report.ts';
import type { WindowStore } from './window-store.ts';

/*
 * The revert: a process of its own, started by the timer, by boot, or by the agent that gives up.
 *
 * INVARIANTS
 * - Whoever works has the owner's place, and looks at the window only then. One that looked before could put back, a second time, what was changed
 *   since the first had ended.
 * - One that finds the place taken waits until the window has moved: whoever has it may die. After `OWNER_PATIENCE_MS` it works all the same.
 * - Nothing is touched before the one rename is won, or the one who won it is gone. A rename that fails otherwise (a file system that became
 *   read-only) stops nobody: a host that is put back twice is better than one that is not.
 * - Everything that it does may be done twice.
 * - Without a report the next one begins again. A report that cannot be written does not keep the last rung from being reached.
 */

/** Bit 7 of the taint: the kernel has died (oops or BUG); nothing more is done to its kmods. */
const TAINT_DIE = 128;

/** Between two questions whether the server answers. */
const REACH_EVERY_MS = 2_000;

/** Between two looks at a window that cannot be read, is not due, or is another's work. */
const LOOK_EVERY_MS = 500;

/** How long a window may be unreadable before this process ends in failure; whoever started it starts it again. */
const UNREADABLE_MS = 600_000;

/** How long another process may have the owner's place without the window moving: longer than a revert takes that is not stopped or stuck. */
const OWNER_PATIENCE_MS = 300_000;

/** Attempts at what may fail for a moment, and between two of them. */
const TRIES = 5;
const TRY_EVERY_MS = 1_000;

/** What a revert needs. */
export interface RevertPorts {
  readonly files: HostFiles;
  readonly clock: BootClock;
  readonly store: WindowStore;
  readonly log: ActionLog;
  readonly sleep: (ms: number) => Promise<void>;
  /** Taken when nobody alive has it. */
  readonly owner: RevertOwner;
  readonly putBack: (before: HostSnapshot, rights: PutBackRights) => Promise<PutBackReport>;
  readonly reboot: () => Promise<void>;
  /** Whether the server's address answers at all, be it to refuse. */
  readonly reachesServer: (plan: WindowPlan) => Promise<ServerReached>;
}

/** `cannot_ask`: this process has no means to ask; that is no evidence. */
export type ServerReached = 'answers' | 'silent' | 'cannot_ask';

/** The one process that works on a claimed window. */
export interface RevertOwner {
  /** False: another process that lives has it. */
  take(): Promise<boolean>;
  drop(): Promise<void>;
}

/** What whoever starts it knows. */
export interface RevertOrder {
  readonly by: EndedBy;
  /** Undefined: found out. */
  readonly cause: ConfirmCause | undefined;
  /** The one window that is meant; undefined: whichever is open. */
  readonly actionId?: string | undefined;
  /** False: this process may not be able to ask whether the server is reached, so it never reboots. */
  readonly mayReboot?: boolean | undefined;
  /** How long a window may be unreadable, ms. */
  readonly unreadableMs?: number | undefined;
}

/**
 * What a revert found: it put the host back; no window is open; another process ended it meanwhile; the window cannot be understood; it could not
 * be read.
 */
export type RevertEnd = 'reverted' | 'not_open' | 'elsewhere' | 'damaged' | 'unreadable';

/** Ends the open window, if there is one that nobody else ends. @throws when it has put the host back and could not say so */
export async function revertWindow(ports: RevertPorts, order: RevertOrder): Promise<RevertEnd> {
  const { owner, store, clock, sleep, log } = ports;
  let takenSinceMs: number | undefined;
  let unreadableSinceMs: number | undefined;
  for (;;) {
    // Nothing to do leaves nothing behind: the lock makes a file.
    const move = await look(ports, order);
    if (move.kind === 'end') return takenSinceMs === undefined ? move.end : 'elsewhere';
    if (move.kind === 'look_again') {
      unreadableSinceMs = move.reason === 'unreadable' ? (unreadableSinceMs ?? clock.nowMs()) : undefined;
      if (clock.nowMs() >= (unreadableSinceMs ?? Infinity) + (order.unreadableMs ?? UNREADABLE_MS)) {
        log.error({ open: await store.look() }, 'the confirm window cannot be read; nothing is reverted');
        return 'unreadable';
      }
      await sleep(LOOK_EVERY_MS);
      continue;
    }
    const isOwner = await owner.take();
    if (!isOwner) {
      if (takenSinceMs === undefined) log.info({}, 'another process is at work on the confirm window');
      takenSinceMs ??= clock.nowMs();
      if (move.kind !== 'put_back' || clock.nowMs() < takenSinceMs + OWNER_PATIENCE_MS) {
        await sleep(LOOK_EVERY_MS);
        continue;
      }
      log.error({}, 'another process has the confirm window, and does not end it; reverting all the same');
    }
    try {
      if (await workOn(ports, order)) return 'reverted';
    } finally {
      if (isOwner) await owner.drop();
    }
  }
}

async function look({ store, clock, files }: RevertPorts, { by, actionId }: RevertOrder): Promise<RevertMove> {
  const open = await store.look();
  return moveOf(open, { actionId, by, nowMs: clock.nowMs(), bootId: await bootIdOf(files) });
}

/** The owner's work. False: there is none any more, or it cannot be told. */
async function workOn(ports: RevertPorts, order: RevertOrder): Promise<boolean> {
  const move = await look(ports, order);
  if (move.kind === 'wait_for_server') {
    const open = await ports.store.look();
    if (open.kind !== 'reverted') return false;
    if (order.mayReboot === false) await conclude(ports, open.report);
    else await recoverByReboot(ports, move.plan, open.report);
    return true;
  }
  if (move.kind !== 'put_back') return false;
  if (!move.isClaimed && !(await claim(ports))) return false;
  await revertAlone(ports, move.plan, order);
  return true;
}

/** False: the agent was faster, or the rename is done and has only to be seen. */
async function claim({ store, sleep, log }: RevertPorts): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await store.claim();
    } catch (error) {
      if (attempt >= TRIES) {
        log.error({ err: error }, 'that this process reverts cannot be written down; reverting all the same');
        return true;
      }
      await sleep(TRY_EVERY_MS);
    }
  }
}

async function revertAlone(ports: RevertPorts, plan: WindowPlan, order: RevertOrder): Promise<void> {
  const { store, log } = ports;
  const done = await revertPlan(ports, plan, order);
  const waitsForServer = plan.rebootToRecover && done.cause !== 'rebooted' && order.mayReboot !== false;
  const report = { ...done, waitsForServer };
  const isWritten = await succeeds(ports, () => store.report(report));
  log.warn({ ...report, isWritten }, 'the confirm window was reverted');
  if (waitsForServer) await recoverByReboot(ports, plan, report);
  else if (!isWritten) await store.report(report);
}

/** Tries a few times what may fail for a moment. */
async function succeeds({ sleep, log }: RevertPorts, work: () => Promise<void>): Promise<boolean> {
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    try {
      await work();
      return true;
    } catch (error) {
      log.error({ err: error }, 'the end of the revert cannot be written down');
      await sleep(TRY_EVERY_MS);
    }
  }
  return false;
}

async function bootIdOf(files: HostFiles): Promise<string | undefined> {
  return valueOf(await files.readText('/proc/sys/kernel/random/boot_id'))?.trim();
}

async function revertPlan(ports: RevertPorts, plan: WindowPlan, order: RevertOrder): Promise<RevertReport> {
  const { files, log, sleep } = ports;
  const sameBoot = (await bootIdOf(files)) === plan.bootId;
  const cause = causeOf(order.cause, sameBoot, await isAlive(files, plan.agent));
  // Unlike an action, a revert goes on where the taint cannot be read: what it does not put back is lost for certain.
  const taint = Number(valueOf(await files.readText('/proc/sys/kernel/tainted'))?.trim() ?? '0');
  const rights = rightsOf(sameBoot, (taint & TAINT_DIE) !== 0);
  const frame = {
    format: WINDOW_FORMAT,
    actionId: plan.actionId,
    cause,
    by: order.by,
    rebootedToRecover: false,
    waitsForServer: false,
  } as const;
  log.warn({ actionId: plan.actionId, cause, rights }, 'reverting');
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { restored, missing } = await ports.putBack(plan.snapshot, rights);
      return { ...frame, restored: [...restored], missing: [...missing] };
    } catch (error) {
      log.error({ actionId: plan.actionId, err: error }, 'the revert broke off');
      if (attempt >= TRIES) return { ...frame, restored: [], missing: [`${NOT_KNOWN}${messageOf(error)}`] };
      await sleep(TRY_EVERY_MS);
    }
  }
}

/** Why the window ends in a revert. A reboot outranks what was asked for: it decided. Pure. */
export function causeOf(asked: ConfirmCause | undefined, sameBoot: boolean, agentAlive: boolean): ConfirmCause {
  if (!sameBoot) return 'rebooted';
  return asked ?? (agentAlive ? 'no_server' : 'agent_died');
}

/** After a reboot the host's own configuration decides; what it did not bring back is loaded, and otherwise only reported. Pure. */
export function rightsOf(sameBoot: boolean, died: boolean): PutBackRights {
  return { kmods: died ? 'none' : sameBoot ? 'all' : 'load', network: sameBoot };
}

/**
 * The last rung, where the host's policy allows it: a second window without an answer of the server. Silence has to be heard: a process that cannot
 * ask has no evidence.
 */
async function recoverByReboot(ports: RevertPorts, plan: WindowPlan, report: RevertReport): Promise<void> {
  const { clock, sleep, reachesServer, reboot, log } = ports;
  const untilMs = clock.nowMs() + plan.windowSeconds * 1000;
  let last: ServerReached = 'cannot_ask';
  while (clock.nowMs() < untilMs) {
    last = await reachesServer(plan);
    if (last === 'answers') return conclude(ports, report);
    await sleep(REACH_EVERY_MS);
  }
  if (last !== 'silent') {
    log.error({ actionId: plan.actionId }, 'whether the server answers cannot be asked from here; not rebooting');
    return conclude(ports, report);
  }
  log.error({ actionId: plan.actionId }, 'the server does not answer after the revert; rebooting (reboot_to_recover)');
  await conclude(ports, { ...report, rebootedToRecover: true }).catch(() => undefined);
  await reboot();
}

/** Whoever took the report has closed the window; one that is written now would stand in the way of the next. */
async function conclude(ports: RevertPorts, report: RevertReport): Promise<void> {
  const { store } = ports;
  const write = async (): Promise<void> => {
    const open = await store.look();
    const isOurs =
      (open.kind === 'reverted' && open.report.actionId === report.actionId) ||
      (open.kind === 'reverting' && open.plan.actionId === report.actionId);
    if (open.kind === 'unreadable') throw new Error(open.reason);
    if (isOurs) await store.report({ ...report, waitsForServer: false });
  };
  if (!(await succeeds(ports, write))) await write();
}
