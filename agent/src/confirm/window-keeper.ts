import { setTimeout as delay } from 'node:timers/promises';
import { assertNever, type ConfirmCause, ConfirmEnd, type ConfirmReport, type FindingCode } from '@modfleet/proto';
import type { ActionLog } from '../actions/action-host.ts';
import type { ConfirmWindows, WindowOpening, WindowOrder } from '../actions/confirm-windows.ts';
import { messageOf } from '../error-words.ts';
import type { BootClock, ServerClock } from '../time/clock.ts';
import {
  type AtWork,
  awaiting,
  type WindowEnd,
  type WindowEvent,
  WINDOW_START,
  type WindowState,
  windowStep,
} from './confirm.machine.ts';
import type { Confirmer } from './confirmer.ts';
import type { RevertTimer } from './revert-timer.ts';
import { seldom } from './seldom.ts';
import type { HostSnapshot } from './snapshot/host-snapshot.ts';
import type { PutBackReport } from './snapshot/put-back.ts';
import { type ProcessMark, type ServerAddress, WINDOW_FORMAT, type WindowPlan } from './window-plan.ts';
import { windowObstacle } from './window-obstacle.ts';
import { isSettled, keptReport, revertedReport, unknownReport, withoutReport } from './window-report.ts';
import type { WindowOnDisk, WindowStore } from './window-store.ts';

/** Between two looks at the disk while a revert is expected. */
const LOOK_MS = 250;

/** A revert loads kmods (65 s each at most), waits for devices and puts things back; past this it is called unknown, unless it is seen at work. */
const REVERT_LIMIT_MS = 240_000;

/** How often a window that cannot be read is looked at again, before a revert is begun unseen, and once more before that is given up. */
const READ_TRIES = 40;

/** What windows are made of. */
export interface WindowParts {
  readonly store: WindowStore;
  readonly timer: RevertTimer;
  readonly confirmer: Confirmer;
  readonly clock: BootClock;
  readonly serverClock: ServerClock;
  readonly log: ActionLog;
  readonly bootId: () => Promise<string>;
  /** The process that asks for the confirm: when it is gone, nobody will. */
  readonly agent: () => Promise<ProcessMark | undefined>;
  /** @throws SnapshotError when none could be taken */
  readonly checkSnapshot: () => Promise<void>;
  /** @throws SnapshotError */
  readonly snapshot: (kmods: readonly string[]) => Promise<HostSnapshot>;
  readonly putBack: (before: HostSnapshot) => Promise<PutBackReport>;
  /** Whether a process is at work on a revert. */
  readonly atWork: () => Promise<AtWork>;
  readonly rebootToRecover: boolean;
  /** A listener of the server. Unknown: no reboot, as nobody could tell whether the server is reached. */
  readonly server: () => Promise<ServerAddress | undefined>;
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * The windows of a real host: the machine's effects, applied. Order and rights are in confirm.machine.ts and window-store.ts.
 *
 * INVARIANTS
 * - A window whose end nobody has seen is not cleared, whatever the action's result says; the next start begins its revert again.
 * - A plan that cannot be understood is moved aside, one that cannot be read is left where it is; neither is deleted.
 * - A timer is disarmed before the window that it belongs to is cleared, and where arming it seemed to fail.
 */
export class WindowKeeper implements ConfirmWindows {
  readonly #parts: WindowParts;
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** What the load half of this window's action put back by itself. */
  #restored: readonly string[] = [];
  /** Actions whose windows have come to no end that was seen. */
  readonly #unsettled = new Set<string>();
  readonly #atWork: () => Promise<AtWork>;

  constructor(parts: WindowParts) {
    this.#parts = parts;
    this.#atWork = seldom(parts.atWork, parts.clock);
    this.#sleep = parts.sleep ?? ((ms, signal) => delay(ms, undefined, { signal }));
  }

  async obstacle(): Promise<{ code: FindingCode; message: string } | undefined> {
    const { store, timer, checkSnapshot } = this.#parts;
    const open = await store.look();
    if (open.kind === 'damaged' || open.kind === 'unreadable') {
      return { code: 'busy', message: `a confirm window cannot be read: ${open.reason}` };
    }
    if (open.kind !== 'none') return { code: 'busy', message: PENDING };
    return windowObstacle(timer, checkSnapshot);
  }

  async open({ actionId, kmod, kmods, windowSeconds }: WindowOrder): Promise<WindowOpening> {
    const { store, timer, clock, serverClock, bootId, agent, rebootToRecover, server, log } = this.#parts;
    this.#restored = [];
    try {
      const before = await this.#parts.snapshot(kmods);
      const mark = await agent();
      const address = await server();
      const now = serverClock.now();
      if (mark === undefined || now === undefined) {
        return failed('unsupported', 'the process that asks for the confirm, or the server time, is not known');
      }
      const plan: WindowPlan = {
        format: WINDOW_FORMAT,
        actionId,
        kmod,
        bootId: await bootId(),
        windowSeconds,
        deadlineBootMs: clock.nowMs() + windowSeconds * 1000,
        deadlineServerMs: Math.round(now.ms) + windowSeconds * 1000,
        agent: mark,
        rebootToRecover: rebootToRecover && address !== undefined,
        server: address ?? { host: '', port: 0 },
        snapshot: before,
      };
      if (!(await store.put(plan))) return failed('busy', PENDING);
      const why = await timer.arm(actionId, windowSeconds);
      if (why === undefined) return { kind: 'opened', deadlineServerMs: plan.deadlineServerMs };
      await this.#forget(actionId);
      return failed('unsupported', `no confirm window: ${why}`);
    } catch (error) {
      log.error({ actionId, err: error }, 'the confirm window could not be opened');
      // A plan that is on disk with nothing done is a revert with nothing to do; better none.
      await this.#forgetOwn(actionId).catch(() => undefined);
      return failed('unjournalled', `the confirm window could not be written down: ${messageOf(error)}`);
    }
  }

  async putBack(actionId: string): Promise<readonly string[]> {
    const open = await this.#parts.store.look();
    if (open.kind !== 'pending' || open.plan.actionId !== actionId) return [];
    try {
      const report = await this.#parts.putBack(open.plan.snapshot);
      this.#restored = report.restored;
      return report.restored;
    } catch (error) {
      this.#parts.log.warn({ actionId, err: error }, 'what came back could not be compared with what was there');
      return [];
    }
  }

  async ask(actionId: string, signal: AbortSignal): Promise<ConfirmReport> {
    const open = await this.#lookUntilRead(signal);
    if ('plan' in open && open.plan?.actionId === actionId) {
      return this.#run(open.plan, WINDOW_START, { kind: 'tick' }, signal);
    }
    return this.#unreadable(actionId, 'agent_died', open, signal);
  }

  async giveUp(actionId: string, signal: AbortSignal): Promise<ConfirmReport> {
    const report = await this.#revertNow(actionId, 'step_failed', signal);
    return isSettled(report) ? { ...report, end: ConfirmEnd.CONFIRM_END_NOT_ASKED } : report;
  }

  async again(actionId: string, signal: AbortSignal): Promise<ConfirmReport> {
    const { store } = this.#parts;
    const open = await store.look();
    const known = 'report' in open ? open.report.actionId : 'plan' in open ? open.plan.actionId : undefined;
    if (known !== actionId) return unknownReport(undefined, 'step_failed', GONE);
    if (open.kind === 'reverted' && !(await store.reopen())) return revertedReport(undefined, open.report, 0, '');
    return this.giveUp(actionId, signal);
  }

  async afterCrash(actionId: string, signal: AbortSignal): Promise<ConfirmReport | undefined> {
    const { bootId } = this.#parts;
    const open = await this.#lookUntilRead(signal);
    switch (open.kind) {
      case 'none':
        return undefined;
      case 'unreadable':
        return this.#unreadable(actionId, 'agent_died', open, signal);
      case 'damaged':
        return this.#damaged(actionId, open.reason);
      case 'kept':
        return open.plan.actionId === actionId ? keptReport(open.plan, 0, '', this.#restored) : undefined;
      case 'pending':
      case 'reverting': {
        if (open.plan.actionId !== actionId) return undefined;
        const sameBoot = open.plan.bootId === (await bootId());
        return this.#revertNow(actionId, sameBoot ? 'agent_died' : 'rebooted', signal);
      }
      case 'reverted':
        if (open.report.actionId !== actionId) return undefined;
        // The process that waits for the server may be there still, as long as nothing was rebooted.
        if (open.report.waitsForServer && open.plan?.bootId === (await bootId()))
          return this.#run(open.plan, awaiting(open.report.cause), { kind: 'tick' }, signal);
        return revertedReport(open.plan, open.report, 0, '');
      default:
        return assertNever(open);
    }
  }

  async tidy(signal: AbortSignal): Promise<void> {
    const { log } = this.#parts;
    const open = await this.#lookUntilRead(signal);
    if (open.kind === 'none') return;
    if (open.kind === 'unreadable') {
      log.error({ reason: open.reason }, 'whether a confirm window is left over cannot be read');
      return;
    }
    const actionId = 'report' in open ? open.report.actionId : 'plan' in open ? open.plan.actionId : '';
    const report = await this.afterCrash(actionId, signal);
    log.warn({ actionId, report }, 'a confirm window was left over from an action that has ended');
    await this.close(actionId);
  }

  async close(actionId: string): Promise<void> {
    const { store, log } = this.#parts;
    try {
      const open = await store.look();
      if (open.kind === 'none') return;
      if (open.kind === 'pending' ? this.#unsettled.has(actionId) : open.kind !== 'kept' && open.kind !== 'reverted') {
        log.error(
          { actionId, open: open.kind },
          'the confirm window has come to no end that was seen: it is kept, and its revert is begun again at the next start',
        );
        return;
      }
      await this.#forget(actionId);
    } catch (error) {
      log.error(
        { actionId, err: error },
        'the confirm window could not be closed; the next one is refused until it is',
      );
    }
  }

  /** Also a plan that was written and could not be synced; but never another action's. */
  async #forgetOwn(actionId: string): Promise<void> {
    const open = await this.#parts.store.look();
    if (open.kind === 'pending' && open.plan.actionId === actionId) await this.#forget(actionId);
  }

  /** First the timer: one that nobody disarmed would find the next window. */
  async #forget(actionId: string): Promise<void> {
    const { store, timer, log } = this.#parts;
    const why = await timer.disarm(actionId);
    if (why !== undefined) log.warn({ actionId, why }, 'the timer of a confirm window could not be disarmed');
    await store.clear();
  }

  /** What cannot be read may be readable in a moment. */
  async #lookUntilRead(signal: AbortSignal): Promise<WindowOnDisk> {
    for (let attempt = 1; ; attempt += 1) {
      const open = await this.#parts.store.look();
      if (open.kind !== 'unreadable' || attempt >= READ_TRIES) return open;
      await this.#sleep(LOOK_MS, signal);
    }
  }

  /** Whatever keeps this process from reading the window need not keep another one from reverting it. */
  async #unreadable(
    actionId: string,
    cause: ConfirmCause,
    open: WindowOnDisk,
    signal: AbortSignal,
  ): Promise<ConfirmReport> {
    if (open.kind === 'damaged') return this.#damaged(actionId, open.reason);
    if (open.kind !== 'unreadable') return this.#unknown(actionId, unknownReport(undefined, cause, GONE));
    this.#parts.log.error({ actionId, reason: open.reason }, 'the confirm window cannot be read; reverting unseen');
    await this.#parts.timer.begin(actionId, cause);
    const later = await this.#lookUntilRead(signal);
    if ('plan' in later && later.plan?.actionId === actionId) {
      return this.#run(later.plan, awaiting(cause), { kind: 'tick' }, signal);
    }
    const reason = later.kind === 'unreadable' ? `the window cannot be read: ${later.reason}` : GONE;
    return this.#unknown(actionId, unknownReport(undefined, cause, reason));
  }

  async #damaged(actionId: string, reason: string): Promise<ConfirmReport> {
    const { store, timer, log } = this.#parts;
    if (actionId !== '') await timer.disarm(actionId);
    const aside = await store.setAside().catch((error: unknown) => {
      log.error(
        { actionId, err: error },
        'what cannot be understood cannot be moved aside; the next window waits for that',
      );
      return [];
    });
    log.error(
      { actionId, reason, aside },
      'a confirm window cannot be understood, and nothing was reverted: look at its files',
    );
    const kept = aside.length === 0 ? '' : `kept as ${aside.join(', ')}, and `;
    return unknownReport(undefined, 'agent_died', `${reason}; ${kept}nothing was reverted`);
  }

  #unknown(actionId: string, report: ConfirmReport): ConfirmReport {
    this.#unsettled.add(actionId);
    return report;
  }

  /** Begins a revert and waits for its report. */
  async #revertNow(actionId: string, cause: ConfirmCause, signal: AbortSignal): Promise<ConfirmReport> {
    const open = await this.#lookUntilRead(signal);
    if (!('plan' in open) || open.plan?.actionId !== actionId) return this.#unreadable(actionId, cause, open, signal);
    if (open.kind !== 'reverted') await this.#parts.timer.begin(actionId, cause);
    return this.#run(open.plan, awaiting(cause), { kind: 'tick' }, signal);
  }

  async #run(plan: WindowPlan, start: WindowState, first: WindowEvent, signal: AbortSignal): Promise<ConfirmReport> {
    const { clock } = this.#parts;
    const deadlineMs = await this.#deadlineHere(plan);
    const secondWindowMs = plan.rebootToRecover ? plan.windowSeconds * 1000 : 0;
    const giveUpMs = Math.max(clock.nowMs(), deadlineMs) + REVERT_LIMIT_MS + secondWindowMs;
    let state = start;
    let event: WindowEvent | undefined = first;
    let end: WindowEnd | undefined;
    while (event !== undefined) {
      signal.throwIfAborted();
      const { next, effect } = windowStep(state, event, clock.nowMs(), { deadlineMs, giveUpMs });
      state = next;
      if (effect?.kind === 'end') end = effect.end;
      event = effect === undefined ? undefined : await this.#apply(plan, effect, signal);
    }
    return this.#reportOf(plan, state, end);
  }

  #reportOf(plan: WindowPlan, state: WindowState, end: WindowEnd | undefined): ConfirmReport {
    switch (end?.kind) {
      case 'kept':
        return keptReport(plan, end.attempts, end.from, this.#restored);
      case 'reverted':
        return revertedReport(plan, end.report, end.attempts, end.from);
      case 'not_known': {
        const reason = withoutReport(end.claimed, REVERT_LIMIT_MS);
        return this.#unknown(plan.actionId, unknownReport(plan, end.cause, reason, end.attempts));
      }
      case undefined:
        return this.#unknown(plan.actionId, unknownReport(plan, 'agent_died', `the window ended as ${state.kind}`));
      default:
        return assertNever(end);
    }
  }

  /** Boot times of another boot mean nothing: that window is over. */
  async #deadlineHere(plan: WindowPlan): Promise<number> {
    return plan.bootId === (await this.#parts.bootId()) ? plan.deadlineBootMs : this.#parts.clock.nowMs();
  }

  async #apply(
    plan: WindowPlan,
    effect: NonNullable<ReturnType<typeof windowStep>['effect']>,
    signal: AbortSignal,
  ): Promise<WindowEvent | undefined> {
    const { store, timer, confirmer, log } = this.#parts;
    const { actionId } = plan;
    switch (effect.kind) {
      case 'ask': {
        const answer = await confirmer.confirm(actionId, effect.timeoutMs, signal);
        if (answer.kind !== 'confirmed') log.info({ actionId, answer }, 'no confirm yet');
        return { kind: 'answer', answer };
      }
      case 'sleep':
        await this.#sleep(effect.ms, signal);
        return { kind: 'tick' };
      case 'claim':
        return { kind: 'claimed', won: await this.#keep() };
      case 'begin_revert':
        log.warn({ actionId, cause: effect.cause }, 'the confirm window ends in a revert');
        await timer.begin(actionId, effect.cause);
        return { kind: 'tick' };
      case 'look': {
        await this.#sleep(LOOK_MS, signal);
        const seen = await store.look();
        if (seen.kind === 'none') throw new Error('the confirm window is gone from the disk');
        const report = seen.kind === 'reverted' && seen.report.actionId === actionId ? seen.report : undefined;
        const claimed = seen.kind === 'reverting' || seen.kind === 'reverted';
        return { kind: 'seen', claimed, report, atWork: await this.#atWork() };
      }
      case 'end':
        return undefined;
      default:
        return assertNever(effect);
    }
  }

  /** A rename that fails is not won, unless it is seen to have been done: what failed is that its folder is synced. */
  async #keep(): Promise<boolean> {
    const { store, log } = this.#parts;
    try {
      return await store.keep();
    } catch (error) {
      log.error({ err: error }, 'that the change is kept cannot be written down');
      return (await store.look()).kind === 'kept';
    }
  }
}

const GONE = 'the window is gone from the disk';

const PENDING =
  'another confirm window is open on this host; one at a time, so that each knows what it has to put back';

function failed(code: 'unsupported' | 'busy' | 'unjournalled', message: string): WindowOpening {
  return { kind: 'failed', code, message: `${message}; nothing was touched` };
}
