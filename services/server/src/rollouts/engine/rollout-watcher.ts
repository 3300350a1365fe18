import { Logger } from '@nestjs/common';
import { takesAway } from '@modfleet/proto';
import type { AccessSeals } from '../../access/seals.ts';
import type { ActionBatch, Asker, BatchAction } from '../../actions/action-batch.service.ts';
import { selectNow } from '../../actions/action.queries.ts';
import { isHalted } from '../../actions/dispatch.queries.ts';
import { SERVER_SOURCE } from '../../audit/audit-source.ts';
import type { AuditService } from '../../audit/audit.service.ts';
import { isUnavailable } from '../../database/database.errors.ts';
import type { DatabaseService, Sql } from '../../database/database.service.ts';
import type { RolloutMetrics } from '../rollout-metrics.service.ts';
import { selectUndo } from './command.queries.ts';
import type { HealthLook } from './health-look.service.ts';
import { holdLease, type Lease } from './lease.queries.ts';
import { updateApproved } from './model.queries.ts';
import { toReport, WITHDRAWN_BY } from './reports-of-actions.ts';
import { applied, decide, type Decision, isOver } from './rollout.machine.ts';
import type { Target } from './rollout.model.ts';
import { leftOut, NO_WAY_BACK, notSent, UNPROVEN, withAction } from './sent-targets.ts';
import { provenAsker } from './rollout-seal.ts';
import type { LoadedRollout, RolloutStore } from './rollout-store.ts';
import type { Control, Look, Report } from './step-input.ts';
import {
  selectConnected,
  selectControl,
  selectControls,
  selectReports,
  type ControlRow,
} from './step-input.queries.ts';
import { type ActionFrame, forwardAction, undoAction } from './target-actions.ts';

/** What a watcher works with. */
export interface WatcherParts {
  readonly database: DatabaseService;
  readonly store: RolloutStore;
  readonly batch: ActionBatch;
  readonly health: HealthLook;
  readonly audit: AuditService;
  readonly seals: AccessSeals;
  readonly metrics: Pick<RolloutMetrics, 'decided'>;
  /** After a commit that changed something. */
  readonly announce: (rolloutId: string) => void;
  /** Before a host whose kmod was in use is asked again. */
  readonly retryMs: number;
}

/** Ends of actions a step. */
const REPORTS_AT_ONCE = 2_000;
/** Between two looks at who is connected. */
const CONNECTED_MS = 1_000;
/** Between two steps when nobody calls: bakes and deadlines are this late at most, and a lost wake-up costs this much. */
const IDLE_MS = 500;
/** Between two steps when many call: what comes meanwhile comes together. */
const BREATH_MS = 50;
/** At least twice as long as the step took, since a step over ten thousand hosts takes as long as it takes for one result as for a thousand; at most this. */
const LONG_BREATH_MS = 400;
/** Between two looks at hosts that did not answer. */
const LOOK_AGAIN_MS = 5_000;

/**
 * Watches over one rollout while it holds the lease.
 *
 * INVARIANTS
 * - Each step is one transaction that holds the rollout's row under this watcher's term: one that was stopped past its lease changes nothing when it goes on.
 * - It begins with rows alone, and what it keeps in memory is what it has committed.
 * - No command is signed for a rollout whose rows do not agree with the seal of its creation.
 */
export class RolloutWatcher {
  readonly #logger = new Logger('rollouts');
  readonly #lease: Lease;
  readonly #parts: WatcherParts;
  readonly #over = new AbortController();
  #rollout: LoadedRollout | undefined;
  #connected: ReadonlySet<string> = new Set();
  #connectedAt = -Infinity;
  #looks: Look[] = [];
  #looking = false;
  #lookAgainAt = 0;
  /** Hosts that had no action made, and why: told to the machine at the next step. */
  #left: Report[] = [];
  #wake: (() => void) | undefined;
  #woken = false;

  constructor(lease: Lease, parts: WatcherParts) {
    this.#lease = lease;
    this.#parts = parts;
  }

  get rolloutId(): string {
    return this.#lease.rolloutId;
  }

  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  stop(): void {
    this.#over.abort();
    this.wake();
  }

  /** Until the rollout is over, the lease is lost, or {@link stop}. Never fails. */
  async run(): Promise<void> {
    while (!this.#over.signal.aborted) {
      const began = performance.now();
      try {
        this.#rollout ??= await this.#parts.store.load(this.#lease);
        if (this.#rollout === undefined) return;
        if (!(await this.#step(this.#rollout))) return;
      } catch (error) {
        // What was decided is not committed, as far as is known: begin again with the rows.
        this.#rollout = undefined;
        if (!isUnavailable(error))
          this.#logger.error({ message: 'a step of a rollout failed', rollout: this.rolloutId, err: error });
      }
      await this.#pause(performance.now() - began);
    }
  }

  /** False: there is nothing more to do, or it is for another to do. */
  async #step(rollout: LoadedRollout): Promise<boolean> {
    const { model } = rollout;
    const taken = { looks: this.#looks.splice(0), left: this.#left.splice(0) };
    const done = await this.#parts.database.tx('READ COMMITTED', async (sql) => {
      if (!(await holdLease(sql, this.#lease))) return undefined;
      const now = (await selectNow(sql)).getTime();
      const controls = await selectControls(sql, this.rolloutId);
      if (performance.now() - this.#connectedAt > CONNECTED_MS) await this.#lookWhoIsConnected(sql);
      const reports = (await selectReports(sql, this.rolloutId, REPORTS_AT_ONCE)).map(toReport);
      const decision = decide(model, {
        now,
        controls: controls.map((row) => this.#proven(rollout, row)),
        reports: [...taken.left, ...reports],
        connected: this.#connected,
        halted: await isHalted(sql),
        tampered: rollout.asker === undefined,
        looks: taken.looks,
        retryMs: this.#parts.retryMs,
      });
      const sent = await this.#carryOut(sql, rollout, decision, controls, now);
      const changed = await this.#parts.store.save(sql, model, sent.decision, now);
      return { ...sent, changed, more: reports.length >= REPORTS_AT_ONCE };
    });
    if (done === undefined) return false;
    this.#parts.metrics.decided(model, done.decision);
    this.#rollout = { ...rollout, model: applied(model, done.decision) };
    this.#left.push(...done.left);
    this.#parts.batch.begin(done.created);
    this.#parts.batch.withdrawn(done.withdrawn);
    if (done.changed) this.#parts.announce(this.rolloutId);
    if (done.changed || done.more) this.#woken = true;
    this.#beginLook(done.decision, this.#rollout);
    return !isOver(this.#rollout.model) || done.changed;
  }

  /** A control whose row was changed outside the server is nobody's: it is answered, and nothing else. */
  #proven({ hash }: LoadedRollout, row: ControlRow): Control {
    const asker = provenAsker(this.#parts.seals, this.rolloutId, row.kind, hash, row);
    const { seq, reason } = row;
    return { seq, kind: asker === undefined ? 'unproven' : row.kind, by: row.requested_by, reason };
  }

  async #lookWhoIsConnected(sql: Sql): Promise<void> {
    this.#connected = new Set(await selectConnected(sql, this.rolloutId));
    this.#connectedAt = performance.now();
  }

  async #carryOut(sql: Sql, rollout: LoadedRollout, decision: Decision, controls: readonly ControlRow[], now: number) {
    const { effects } = decision;
    const approved = controls.find(
      ({ kind, seq }) =>
        kind === 'approve' && effects.some((one) => one.kind === 'answer' && one.seq === seq && one.answer === ''),
    );
    if (approved !== undefined) await updateApproved(sql, this.rolloutId, approved.requested_by, approved.seal);
    const withdrawn: string[] = [];
    for (const effect of effects)
      if (effect.kind === 'withdraw')
        withdrawn.push(...(await this.#parts.batch.withdrawQueued(sql, effect.actionIds, WITHDRAWN_BY)));
    const made = await this.#make(sql, rollout, decision, now);
    return { ...made, withdrawn };
  }

  /** Makes the actions that were decided; targets get the ids of theirs, and those that got none stay as they were. */
  async #make(sql: Sql, rollout: LoadedRollout, decision: Decision, now: number) {
    const sends = decision.effects.filter((effect) => effect.kind === 'dispatch');
    const targets = new Map(decision.targets.map((target) => [target.hostId, target]));
    const created: { hostId: string; actionId: string; verb: BatchAction['verb'] }[] = [];
    const left: Report[] = [];
    for (const role of ['forward', 'undo'] as const) {
      const hostIds = sends.filter((send) => send.role === role).map(({ hostId }) => hostId);
      if (hostIds.length === 0) continue;
      const asker = await this.#askerOf(sql, rollout, decision, role);
      const actions = await this.#actions(sql, rollout, decision, hostIds, role, now, targets);
      const { ids, left: why } =
        asker === undefined
          ? { ids: new Map<string, string>(), left: new Map() }
          : await this.#parts.batch.create(sql, actions, asker);
      for (const hostId of hostIds) {
        const target = targets.get(hostId);
        const actionId = ids.get(hostId);
        if (target === undefined) continue;
        if (actionId === undefined) {
          targets.set(hostId, notSent(rollout.model, target, role));
          left.push(leftOut(hostId, role, asker === undefined ? UNPROVEN : (why.get(hostId) ?? NO_WAY_BACK)));
        } else {
          targets.set(hostId, withAction(target, role, actionId));
          created.push({ hostId, actionId, verb: role === 'undo' ? 'restore' : rollout.command.verb });
        }
      }
      if (ids.size > 0) await this.#record(sql, rollout, role, [...ids.keys()]);
    }
    return { decision: { ...decision, targets: [...targets.values()] }, created, left };
  }

  async #actions(
    sql: Sql,
    rollout: LoadedRollout,
    { rollout: after }: Decision,
    hostIds: readonly string[],
    role: 'forward' | 'undo',
    now: number,
    targets: ReadonlyMap<string, Target>,
  ): Promise<BatchAction[]> {
    const { command, planId, reason } = rollout;
    const deadline = role === 'undo' ? (after.memory.undoUntil ?? after.deadline) : after.deadline;
    const frame: ActionFrame = { rolloutId: this.rolloutId, planId, reason, now, deadline };
    const undo = role === 'undo' ? await selectUndo(sql, this.rolloutId, hostIds) : undefined;
    return hostIds.flatMap((hostId) => {
      const target = targets.get(hostId);
      if (target === undefined) return [];
      if (undo === undefined) return [forwardAction(target, command, frame)];
      return undoAction(target, undo.get(hostId), command, frame) ?? [];
    });
  }

  /** Forward: who created the rollout. Back: who asked for that, or the creator where the budget did. */
  async #askerOf(
    sql: Sql,
    rollout: LoadedRollout,
    decision: Decision,
    role: 'forward' | 'undo',
  ): Promise<Asker | undefined> {
    const seq = decision.rollout.memory.undoControl;
    if (role === 'forward' || seq === undefined) return rollout.asker;
    const row = await selectControl(sql, this.rolloutId, seq);
    return row === undefined ? undefined : provenAsker(this.#parts.seals, this.rolloutId, row.kind, rollout.hash, row);
  }

  #record(sql: Sql, { command }: LoadedRollout, role: 'forward' | 'undo', hosts: readonly string[]): Promise<void> {
    const details = { role, verb: role === 'undo' ? 'restore' : command.verb };
    const decision = { what: 'rollout.dispatch', object: this.rolloutId, kmod: command.kmod, hosts, details } as const;
    return this.#parts.audit.record(sql, SERVER_SOURCE, decision);
  }

  /** Asks the hosts of a wave how they are, beside the steps: the answers come with a later one. */
  #beginLook({ effects }: Decision, { command }: LoadedRollout): void {
    const wanted = effects.findLast((effect) => effect.kind === 'look');
    if (wanted?.kind !== 'look' || this.#looking || performance.now() < this.#lookAgainAt) return;
    this.#looking = true;
    const wants = takesAway(command.verb) ? 'unloaded' : 'loaded';
    this.#parts.health
      .look(this.rolloutId, command.kmod, wants, wanted.hostIds, this.#over.signal)
      .then((looks) => {
        this.#looks.push(...looks);
        if (looks.some(({ problems }) => problems === null)) this.#lookAgainAt = performance.now() + LOOK_AGAIN_MS;
      })
      .catch((error: unknown) => {
        this.#lookAgainAt = performance.now() + LOOK_AGAIN_MS;
        this.#logger.warn({
          message: 'hosts of a rollout could not be looked at; again in a moment',
          rollout: this.rolloutId,
          err: error,
        });
      })
      .finally(() => {
        this.#looking = false;
        this.wake();
      });
  }

  async #pause(tookMs: number): Promise<void> {
    const breathMs = Math.min(Math.max(BREATH_MS, 2 * tookMs), LONG_BREATH_MS);
    const waitMs = this.#woken ? breathMs : Math.min(IDLE_MS, (this.#lease.seconds * 1000) / 4);
    if (!this.#woken) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    } else await new Promise((resolve) => setTimeout(resolve, waitMs));
    this.#woken = false;
  }
}
