import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import { AccessRepository } from '../access/access.repository.ts';
import type { Caller } from '../access/caller.ts';
import { scopeOf } from '../access/decision.ts';
import type { HostScope } from '../access/host-scope.ts';
import type { Permission } from '../access/roles.ts';
import { selectNow } from '../actions/action.queries.ts';
import type { AuditSource } from '../audit/audit.model.ts';
import { AuditService } from '../audit/audit.service.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { FreezeService } from '../freeze/freeze.service.ts';
import { selectCommand } from './engine/command.queries.ts';
import { complaintAboutControl } from './engine/controls.ts';
import { setGate } from './engine/model.queries.ts';
import { sealedAsker } from './engine/rollout-seal.ts';
import type { ControlKind } from './engine/step-input.ts';
import { complaintAboutWaves } from './engine/waves.ts';
import { PlansService } from './plan/plans.service.ts';
import type { StoredPlan } from './plan/plan.model.ts';
import { requireNoConflict } from './rollout-conflict.ts';
import { lockRolloutsOfKmod } from './rollout-conflict.queries.ts';
import { RolloutChanges } from './rollout-changes.service.ts';
import { RolloutMetrics } from './rollout-metrics.service.ts';
import { drafted } from './rollout-draft.ts';
import { rolloutHash } from './rollout-hash.ts';
import {
  insertControl,
  insertRollout,
  selectAnswer,
  selectOutOfScope,
  selectPlannedHosts,
} from './rollout-create.queries.ts';
import { selectRetryable, selectShown, type ShownRow } from './rollout-view.queries.ts';
import { RolloutReader } from './rollout-reader.service.ts';
import type { RolloutItem } from './rollout.view.ts';
import type { approveRolloutBody, createRolloutBody, retryRolloutBody } from './rollouts.schema.ts';

type CreateBody = z.output<typeof createRolloutBody>;
type RetryBody = z.output<typeof retryRolloutBody>;

/** How long a control waits for its watcher; after that the answer is that it was asked for. */
const ANSWER_WAIT_MS = 3_000;
const LOOK_AGAIN_MS = 250;

const RETRIED = {
  failed: ['refused', 'failed', 'reverted', 'drifted', 'interrupted', 'expired'],
  unreached: ['unreachable', 'not_run', 'expired'],
} as const satisfies Record<RetryBody['what'], readonly string[]>;

/** A control that was stored. */
export interface AskedControl {
  readonly rolloutId: string;
  readonly seq: number;
}

/** What the API does with rollouts; what happens in them is decided by their watchers (engine/). */
@Injectable()
export class RolloutsService {
  readonly #database: DatabaseService;
  readonly #plans: PlansService;
  readonly #reader: RolloutReader;
  readonly #freeze: FreezeService;
  readonly #audit: AuditService;
  readonly #changes: RolloutChanges;
  readonly #access: AccessRepository;
  readonly #metrics: RolloutMetrics;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(PlansService) plans: PlansService,
    @Inject(RolloutReader) reader: RolloutReader,
    @Inject(FreezeService) freeze: FreezeService,
    @Inject(AuditService) audit: AuditService,
    @Inject(RolloutChanges) changes: RolloutChanges,
    @Inject(AccessRepository) access: AccessRepository,
    @Inject(RolloutMetrics) metrics: RolloutMetrics,
  ) {
    this.#database = database;
    this.#plans = plans;
    this.#reader = reader;
    this.#freeze = freeze;
    this.#audit = audit;
    this.#changes = changes;
    this.#access = access;
    this.#metrics = metrics;
  }

  /**
   * Stores a rollout of a plan's hosts, in the caller's transaction; {@link begin} after its commit.
   *
   * @throws AppError frozen, plan_not_found, plan_not_ready, plan_expired, plan_empty, forbidden, rollout_conflict, body_invalid.
   */
  async create(sql: Sql, body: CreateBody, caller: Caller, source: AuditSource): Promise<RolloutItem> {
    const { plan: planId, reason = null, ...options } = body;
    const plan = await this.#plans.requireReady(sql, planId, scopeOf(caller, 'read'));
    return this.#create(sql, { plan, parent: null, only: undefined, reason, options }, caller, source);
  }

  /**
   * A rollout of those hosts of another that failed, or were not reached, by the same plan.
   *
   * @throws AppError rollout_not_found, rollout_state, and what {@link create} throws.
   */
  async retry(sql: Sql, id: string, body: RetryBody, caller: Caller, source: AuditSource): Promise<RolloutItem> {
    const { what, reason = null, ...options } = body;
    const parent = await this.#require(sql, id, caller);
    if (parent.ended_at === null)
      throw new AppError('rollout_state', 'a rollout is tried again when it is over; pause or abort it, or wait');
    const plan = await this.#plans.requireReady(sql, parent.plan_id, scopeOf(caller, 'read'));
    const only = new Set((await selectRetryable(sql, id, RETRIED[what])).map(({ host_id: hostId }) => hostId));
    if (only.size === 0) throw new AppError('plan_empty', `no host of ${id} is ${what}: there is nothing to try again`);
    return this.#create(sql, { plan, parent: id, only, reason, options }, caller, source);
  }

  /** After the commit. Never fails: a watcher would find it within a second. */
  begin({ id, verb }: Pick<RolloutItem, 'id' | 'verb'>): void {
    this.#metrics.created(verb);
    this.#changes.ask(id);
  }

  /**
   * Stores what is asked of a rollout, in the caller's transaction; {@link settle} after its commit. A pause, an abort and a roll back shut the gate at once: nothing
   * is sent from then on, whoever watches.
   *
   * @throws AppError rollout_not_found, forbidden, rollout_state.
   */
  async ask(
    sql: Sql,
    id: string,
    kind: Exclude<ControlKind, 'approve'>,
    reason: string | null,
    caller: Caller,
    source: AuditSource,
  ): Promise<AskedControl> {
    const row = await this.#require(sql, id, caller);
    await this.#requireOnAll(sql, id, caller, 'act');
    const complaint = complaintAboutControl(row.state, kind);
    if (complaint !== undefined) throw new AppError('rollout_state', complaint);
    if (kind === 'pause' || kind === 'abort' || kind === 'roll_back') await setGate(sql, id, false);
    return this.#store(sql, row, kind, reason, caller, source);
  }

  /**
   * Says yes to a rollout that somebody else asked for, as it was looked at.
   *
   * @throws AppError rollout_not_found, forbidden, approval_own, rollout_state, rollout_changed.
   */
  async approve(
    sql: Sql,
    id: string,
    { hash, reason }: z.output<typeof approveRolloutBody>,
    caller: Caller,
    source: AuditSource,
  ): Promise<AskedControl> {
    const row = await this.#require(sql, id, caller);
    await this.#requireOnAll(sql, id, caller, 'approve');
    if (row.requested_account === caller.accountId)
      throw new AppError('approval_own', `${caller.name} asked for this rollout: somebody else has to approve it`);
    const complaint = complaintAboutControl(row.state, 'approve');
    if (complaint !== undefined) throw new AppError('rollout_state', complaint);
    if (hash !== row.hash.toString('hex'))
      throw new AppError(
        'rollout_changed',
        'the hash is not that of this rollout: look at it again (GET /api/v1/rollouts/ID) and approve what is there',
      );
    return this.#store(sql, row, 'approve', reason ?? null, caller, source);
  }

  /** Waits a moment for the watcher. @throws AppError rollout_state: the watcher found that it was not possible any more. */
  async settle(asked: AskedControl, scope: HostScope): Promise<{ taken: boolean; rollout: RolloutItem }> {
    this.#changes.ask(asked.rolloutId);
    const answer = await this.#answer(asked);
    if (answer !== null && answer !== '') throw new AppError('rollout_state', answer);
    return { taken: answer !== null, rollout: await this.#reader.get(asked.rolloutId, scope) };
  }

  /** Null: not taken in time. */
  async #answer({ rolloutId, seq }: AskedControl): Promise<string | null> {
    const signal = AbortSignal.timeout(ANSWER_WAIT_MS);
    for (;;) {
      const changed = this.#changes.next(rolloutId, LOOK_AGAIN_MS, signal);
      const answer = await selectAnswer(this.#database, rolloutId, seq);
      if (answer !== null || signal.aborted) return answer;
      await changed;
    }
  }

  async #create(
    sql: Sql,
    asked: {
      readonly plan: StoredPlan;
      readonly parent: string | null;
      readonly only: ReadonlySet<string> | undefined;
      readonly reason: string | null;
      readonly options: Omit<CreateBody, 'plan' | 'reason'>;
    },
    caller: Caller,
    source: AuditSource,
  ): Promise<RolloutItem> {
    const { plan, parent, only, reason } = asked;
    await this.#freeze.requireThawed(sql);
    const complaint = asked.options.waves === undefined ? undefined : complaintAboutWaves(asked.options.waves);
    if (complaint !== undefined) throw new AppError('body_invalid', complaint);
    await lockRolloutsOfKmod(sql, plan.kmod);
    const hosts = (await selectPlannedHosts(sql, plan.id)).filter(({ host_id: id }) => only?.has(id) ?? true);
    const hostIds = hosts.map(({ host_id: id }) => id);
    const foreign = await selectOutOfScope(sql, hostIds, scopeOf(caller, 'act'));
    if (foreign !== undefined)
      throw new AppError(
        'forbidden',
        `the account ${caller.name} may not act on ${foreign.name}; make a plan without it`,
      );
    await requireNoConflict(sql, plan, hostIds);
    const draft = drafted(hosts, asked.options, only !== undefined);
    if (draft.runnable === 0)
      throw new AppError(
        'plan_empty',
        'every host of the plan refuses, so there is nothing to roll out; see its refusals',
      );
    const command = await selectCommand(sql, plan.id);
    const targets = draft.targets.map((row) => ({ hostId: row.host_id, wave: row.wave, planClass: row.class }));
    const hash = rolloutHash({ command, parent, options: draft.options, targets });
    const id = randomUUID();
    const now = await selectNow(sql);
    await insertRollout(
      sql,
      {
        ...sealedAsker(this.#access.seals, id, 'create', hash, caller),
        id,
        plan_id: plan.id,
        parent_id: parent,
        state: draft.options.requireApproval ? 'awaiting_approval' : 'running',
        options: draft.options,
        hash,
        reason,
        created_at: now,
        deadline: new Date(now.getTime() + draft.options.deadline * 1000),
      },
      draft.sizes,
      draft.targets,
    );
    const details = { plan: plan.id, parent, hash: hash.toString('hex'), verb: plan.verb, options: draft.options };
    await this.#audit.record(sql, source, {
      what: 'rollout.create',
      object: id,
      kmod: plan.kmod,
      selector: plan.selector,
      hosts: hostIds,
      reason,
      details,
    });
    return this.#reader.read(sql, id, scopeOf(caller, 'read'));
  }

  async #store(
    sql: Sql,
    row: ShownRow,
    kind: ControlKind,
    reason: string | null,
    caller: Caller,
    source: AuditSource,
  ): Promise<AskedControl> {
    const asker = sealedAsker(this.#access.seals, row.id, kind, row.hash, caller);
    const seq = await insertControl(sql, row.id, kind, asker, reason);
    await this.#audit.record(sql, source, { what: `rollout.${kind}`, object: row.id, kmod: row.kmod, reason });
    return { rolloutId: row.id, seq };
  }

  async #require(sql: Sql, id: string, caller: Caller): Promise<ShownRow> {
    const row = await selectShown(sql, this.#reader.idOf(id), scopeOf(caller, 'read'));
    if (row === undefined) throw this.#reader.notFound(id);
    return row;
  }

  /** What stops or starts all of a rollout takes the right over all of its hosts. */
  async #requireOnAll(sql: Sql, id: string, caller: Caller, permission: Permission): Promise<void> {
    const foreign = await this.#reader.hostOutOfScope(sql, id, scopeOf(caller, permission));
    if (foreign !== undefined)
      throw new AppError(
        'forbidden',
        `the account ${caller.name} may not ${permission} on ${foreign}, a host of this rollout`,
      );
  }
}
