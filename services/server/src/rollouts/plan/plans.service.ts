import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { VerbWord } from '@modfleet/proto';
import type { Caller } from '../../access/caller.ts';
import { scopeOf } from '../../access/decision.ts';
import type { HostScope } from '../../access/host-scope.ts';
import { ActionBatch, type BatchAction } from '../../actions/action-batch.service.ts';
import { selectNow } from '../../actions/action.queries.ts';
import { toParameters } from '../../actions/action.view.ts';
import type { AuditDecision, AuditSource } from '../../audit/audit.model.ts';
import { AuditService } from '../../audit/audit.service.ts';
import { DatabaseService, type Sql } from '../../database/database.service.ts';
import { AppError } from '../../errors/app-error.ts';
import { FreezeService } from '../../freeze/freeze.service.ts';
import { resolveTarget } from '../../selectors/target.ts';
import { requireNoConflict } from '../rollout-conflict.ts';
import { verbNumber } from '../rollout-verb.ts';
import { draftTargets, newTargets, requireSize } from './plan-draft.ts';
import type { CreatePlan, PlanItem, PlanQuestion, PlanTargetFilter, PlanTargetItem, StoredPlan } from './plan.model.ts';
import {
  countStandings,
  type PlanSummaryRow,
  selectNewMatches,
  selectPlans,
  selectRolloutsOf,
} from './plan.queries.ts';
import { PlanRepository } from './plan.repository.ts';
import { answerSeconds } from './plan.rules.ts';
import { PlanSettler } from './plan-settler.service.ts';
import { PLAN_LIFE_S } from './plan-settlement.ts';
import { insertPlan } from './plan-state.queries.ts';
import { insertTargets, selectTargets } from './plan-target.queries.ts';
import { toCounts, toPlanItem, toPlanTarget } from './plan.view.ts';

const NEW_MATCHES_MAX = 100;

/** A plan that was stored, and what has to be begun after the commit. */
export interface CreatedPlan {
  readonly plan: PlanItem;
  readonly asked: readonly { readonly hostId: string; readonly actionId: string; readonly verb: VerbWord }[];
}

/** What the API does with plans. */
@Injectable()
export class PlansService {
  readonly #database: DatabaseService;
  readonly #plans: PlanRepository;
  readonly #batch: ActionBatch;
  readonly #freeze: FreezeService;
  readonly #audit: AuditService;
  readonly #settler: PlanSettler;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(PlanRepository) plans: PlanRepository,
    @Inject(ActionBatch) batch: ActionBatch,
    @Inject(FreezeService) freeze: FreezeService,
    @Inject(AuditService) audit: AuditService,
    @Inject(PlanSettler) settler: PlanSettler,
  ) {
    this.#database = database;
    this.#plans = plans;
    this.#batch = batch;
    this.#freeze = freeze;
    this.#audit = audit;
    this.#settler = settler;
  }

  /**
   * Stores a plan and a dry run for each host that can be asked, in the caller's transaction. {@link begin} after its commit.
   *
   * @throws SelectorError; AppError frozen, database_behind, forbidden, host_not_found, host_ambiguous, host_retired, plan_too_large, plan_empty,
   * rollout_conflict.
   */
  async create(sql: Sql, body: CreatePlan, caller: Caller, source: AuditSource): Promise<CreatedPlan> {
    await this.#freeze.requireThawed(sql);
    const { verb, reason = null } = body;
    const scope = scopeOf(caller, 'read');
    const { hosts, unknown, unknownIds } = await resolveTarget(sql, body, scope);
    requireSize(hosts.length, unknown);
    const hostIds = hosts.map(({ id }) => id);
    const drafts = draftTargets(await this.#plans.hosts(sql, hostIds), caller, body.hosts !== undefined);
    await requireNoConflict(sql, body, hostIds);
    const now = await selectNow(sql);
    const question = questionOf(body);
    const id = randomUUID();
    const answersUntil = new Date(now.getTime() + (body.answerWithin ?? answerSeconds(hosts.length)) * 1000);
    const expiresAt = new Date(answersUntil.getTime() + PLAN_LIFE_S * 1000);
    const times = { createdAt: now, answersUntil, expiresAt };
    const asker = { requestedBy: caller.name, reason };
    await insertPlan(sql, { ...question, ...times, ...asker, id, verb: verbNumber(verb), unknownHosts: unknownIds });
    const asked = drafts.flatMap(({ host, judged }) => (judged === undefined ? host.id : []));
    const dryRun = { ...question, verb, dryRun: true, expiresAt: answersUntil, planId: id, reason, ...NO_ROLLOUT };
    const created = await this.#ask(sql, asked, dryRun, caller);
    const targets = newTargets(drafts, created.ids, created.left);
    requireSize(targets.length, unknown);
    await insertTargets(sql, id, targets);
    const audited = targets.map(({ hostId }) => hostId);
    await this.#audit.record(sql, source, { ...planDecision(body), object: id, hosts: audited });
    return {
      // What matches is a target: it was looked up in this transaction.
      plan: await this.#item(sql, await this.#require(sql, id, 'all'), []),
      asked: [...created.ids].map(([hostId, actionId]) => ({ hostId, actionId, verb })),
    };
  }

  /** Never fails. */
  begin({ asked }: Pick<CreatedPlan, 'asked'>): void {
    this.#batch.begin(asked);
    // Where no host could be asked, all is known already.
    this.#settler.wake();
  }

  /** A plan of which a host is out of scope is not found. @throws AppError plan_not_found. */
  get(id: string, scope: HostScope): Promise<PlanItem> {
    return this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const plan = await this.#require(sql, id, scope);
      return this.#item(sql, plan, await newMatchesOf(sql, plan, scope));
    });
  }

  /** @throws AppError plan_not_found, plan_not_ready, plan_expired. */
  async requireReady(sql: Sql, id: string, scope: HostScope): Promise<StoredPlan> {
    const plan = await this.#require(sql, id, scope);
    if (plan.state !== 'ready')
      throw new AppError(
        'plan_not_ready',
        `the plan ${plan.id} waits for the answers of its hosts until ${plan.answersUntil.toISOString()}`,
      );
    if ((await selectNow(sql)) >= plan.expiresAt)
      throw new AppError(
        'plan_expired',
        `the plan ${plan.id} expired at ${plan.expiresAt.toISOString()}: its hosts may be others by now; make a new one (POST /api/v1/rollout-plans)`,
      );
    return plan;
  }

  /** Newest first; one more than `limit` where there are more. */
  list(
    after: { readonly createdAt: string; readonly id: string } | undefined,
    scope: HostScope,
    limit: number,
  ): Promise<{ rows: PlanSummaryRow[]; asOf: Date }> {
    return this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => ({
      rows: await selectPlans(sql, scope, after, limit + 1),
      asOf: await selectNow(sql),
    }));
  }

  /** By host name and id; one more than `limit` where there are more. @throws AppError plan_not_found. */
  targets(
    id: string,
    filter: PlanTargetFilter,
    after: { readonly name: string; readonly id: string } | undefined,
    scope: HostScope,
    limit: number,
  ): Promise<{ items: PlanTargetItem[]; asOf: Date }> {
    return this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const plan = await this.#require(sql, id, scope);
      const rows = await selectTargets(sql, plan.id, filter, after, limit + 1);
      return { items: rows.map((row) => toPlanTarget(row, plan)), asOf: await selectNow(sql) };
    });
  }

  #ask(sql: Sql, hostIds: readonly string[], dryRun: Omit<BatchAction, 'hostId'>, caller: Caller) {
    const actions = hostIds.map((hostId) => ({ ...dryRun, hostId }));
    return this.#batch.create(sql, actions, caller);
  }

  async #require(sql: Sql, id: string, scope: HostScope): Promise<StoredPlan> {
    const plan = await this.#plans.find(id, scope, sql);
    if (plan !== undefined) return plan;
    const what = JSON.stringify(id.slice(0, 64));
    throw new AppError('plan_not_found', `there is no plan ${what}; GET /api/v1/rollout-plans lists them`);
  }

  async #item(sql: Sql, plan: StoredPlan, newMatches: PlanItem['newMatches']): Promise<PlanItem> {
    const counts = toCounts(await countStandings(sql, plan.id));
    return toPlanItem(plan, { counts, newMatches, rollouts: await selectRolloutsOf(sql, plan.id) });
  }
}

/** None where hosts were named. */
async function newMatchesOf(sql: Sql, { id, selector }: StoredPlan, scope: HostScope): Promise<PlanItem['newMatches']> {
  if (selector === null) return [];
  return selectNewMatches(sql, id, selector === '' ? undefined : selector, scope, NEW_MATCHES_MAX);
}

/** What a dry run for a plan has of a rollout's action. */
const NO_ROLLOUT = { approvedPlans: [], undo: [], rolloutId: null } as const;

function questionOf(body: CreatePlan): PlanQuestion {
  return {
    verb: body.verb,
    kmod: body.kmod,
    parameters: toParameters(body.parameters ?? {}),
    confirmWindowSeconds: body.confirmWindow ?? 0,
    overrides: [...new Set(body.overrides ?? [])],
    selector: body.selector ?? (body.all === true ? '' : null),
  };
}

/** A request for a plan, as the audit log keeps it whether it was allowed or not. */
export function planDecision(body: CreatePlan): AuditDecision {
  const { hosts, kmod, reason, selector, ...rest } = body;
  const named = hosts === undefined ? {} : { hosts: hosts.length };
  return { what: 'rollout.plan', kmod, reason, selector, details: { ...rest, ...named } };
}
