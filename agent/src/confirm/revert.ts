import type { ConfirmCause } from '@modfleet/proto';
import { messageOf } from '../error-words.ts';
import type { Exec } from '../exec/exec.ts';
import type { HostFiles } from '../host/host-files.ts';
import { valueOf } from '../host/read-outcome.ts';
import type { ActionLog } from '../actions/action-host.ts';
import type { BootClock } from '../time/clock.ts';
import { isAlive } from './process-mark.ts';
import type { PutBackReport, PutBackRights } from './snapshot/put-back.ts';
import type { HostSnapshot } from './snapshot/host-snapshot.ts';
import { type EndedBy, type RevertReport, WINDOW_FORMAT, type WindowPlan } from './window-plan.ts';
import type { WindowStore } from './window-store.ts';

/*
 * The revert: a process of its own, started by the timer, by boot, or by the agent that gives up.
 *
 * INVARIANTS
 * - Nothing is touched before the one rename is won, or the one who won it is known to be dead: whoever works has the owner's place, and looks at
 *   the window only then. One that looked before could put back, a second time, what was changed since the first had ended.
 * - Everything that it does may be done twice.
 * - Its report is on disk, whatever could not be put back. Without a report the next one begins again.
 */

/** Bit 7 of the taint: the kernel has died (oops or BUG); nothing more is done to its kmods. */
const TAINT_DIE = 128;

/** Between two questions whether the server answers. */
const REACH_EVERY_MS = 2_000;

/** What a revert needs. */
export interface RevertPorts {
  readonly files: HostFiles;
  readonly exec: Exec;
  readonly clock: BootClock;
  readonly store: WindowStore;
  readonly log: ActionLog;
  readonly sleep: (ms: number) => Promise<void>;
  /** Taken when nobody alive has it. */
  readonly owner: RevertOwner;
  readonly putBack: (before: HostSnapshot, rights: PutBackRights) => Promise<PutBackReport>;
  readonly reboot: () => Promise<void>;
  /** Whether the server's address answers at all, be it to refuse. */
  readonly reachesServer: (plan: WindowPlan) => Promise<boolean>;
}

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
}

/** What a revert found: it put the host back; no window is open; another process ends the window; the window cannot be read. */
export type RevertEnd = 'reverted' | 'not_open' | 'elsewhere' | 'damaged';

/** Ends the open window, if there is one that nobody else ends. */
export async function revertWindow(ports: RevertPorts, order: RevertOrder): Promise<RevertEnd> {
  const { owner, store } = ports;
  // Nothing to do leaves nothing behind: the lock makes its folder.
  if ((await store.look()).kind === 'none') return 'not_open';
  if (!(await owner.take())) return 'elsewhere';
  try {
    return await revertAlone(ports, order);
  } finally {
    await owner.drop();
  }
}

async function revertAlone(ports: RevertPorts, order: RevertOrder): Promise<RevertEnd> {
  const { store, log } = ports;
  const open = await store.look();
  if (open.kind === 'damaged') {
    log.error({ reason: open.reason }, 'the confirm window cannot be read; nothing is reverted');
    return 'damaged';
  }
  if (open.kind !== 'pending' && open.kind !== 'reverting') return 'not_open';
  if (open.kind === 'pending' && !(await store.claim())) return 'elsewhere';
  const { plan } = open;
  const report = await revertPlan(ports, plan, order);
  const waitsForServer = plan.rebootToRecover && report.cause !== 'rebooted';
  await store.report({ ...report, waitsForServer });
  log.warn({ ...report }, 'the confirm window was reverted');
  if (waitsForServer) await recoverByReboot(ports, plan, report);
  return 'reverted';
}

async function revertPlan(ports: RevertPorts, plan: WindowPlan, order: RevertOrder): Promise<RevertReport> {
  const { files, log } = ports;
  const bootId = valueOf(await files.readText('/proc/sys/kernel/random/boot_id'))?.trim();
  const sameBoot = bootId === plan.bootId;
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
  try {
    const { restored, missing } = await ports.putBack(plan.snapshot, rights);
    return { ...frame, restored: [...restored], missing: [...missing] };
  } catch (error) {
    const why = messageOf(error);
    return { ...frame, restored: [], missing: [`not known: ${why}`] };
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

/** The last rung, where the host's policy allows it: a second window without an answer of the server. */
async function recoverByReboot(ports: RevertPorts, plan: WindowPlan, report: RevertReport): Promise<void> {
  const { clock, sleep, reachesServer, reboot, store, log } = ports;
  const untilMs = clock.nowMs() + plan.windowSeconds * 1000;
  // Whoever took the report has closed the window; one that is written now would stand in the way of the next.
  const conclude = async (last: RevertReport): Promise<void> => {
    if ((await store.look()).kind === 'reverted') await store.report(last);
  };
  while (clock.nowMs() < untilMs) {
    if (await reachesServer(plan)) return conclude(report);
    await sleep(REACH_EVERY_MS);
  }
  log.error({ actionId: plan.actionId }, 'the server does not answer after the revert; rebooting (reboot_to_recover)');
  await conclude({ ...report, rebootedToRecover: true });
  await reboot();
}
