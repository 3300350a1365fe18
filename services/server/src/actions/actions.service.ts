import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIRM_WINDOW_DEFAULT_S, outcomeFromWord } from '@modfleet/proto';
import type { z } from 'zod';
import { requireOnHost } from '../access/allowed.ts';
import type { Caller } from '../access/caller.ts';
import { scopeOf } from '../access/decision.ts';
import { type HostScope, inScope } from '../access/host-scope.ts';
import type { AuditDecision, AuditSource } from '../audit/audit.model.ts';
import { AuditService } from '../audit/audit.service.ts';
import { takeCommandSequence } from '../command-stop/command-stop.queries.ts';
import { CommandStopService } from '../command-stop/command-stop.service.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { FreezeService } from '../freeze/freeze.service.ts';
import { findHost } from '../hosts/host-lookup.ts';
import { CommandSigner } from '../signing/command-signer.ts';
import { ActionChanges } from './action-changes.service.ts';
import { ActionMetrics } from './action-metrics.service.ts';
import { ActionDispatcher } from './action-dispatcher.service.ts';
import { toUnsignedRequest } from './action.mapper.ts';
import type { ActionItem, NewAction, StoredAction } from './action.model.ts';
import { selectNow } from './action.queries.ts';
import { ActionRepository, type Applied } from './action.repository.ts';
import { isEnded } from './action.states.ts';
import { DispatchRights } from './dispatch-rights.service.ts';
import { findActionTarget } from './action-target.ts';
import { toParameters } from './action.view.ts';
import type { actionListQuery, createActionBody } from './actions.schema.ts';

export type CreateActionBody = z.output<typeof createActionBody>;
export type ActionListQuery = z.output<typeof actionListQuery>;

/** Where a page of actions begins: after this one. */
export interface ActionPosition {
  readonly createdAt: string;
  readonly id: string;
}

const DEFAULT_LIFETIME_S = 120;
/** How long a cancel waits for the host's word; after that the answer is "not known to be cancelled". */
const CANCEL_WAIT_MS = 3_000;

/** What the API does with actions. */
@Injectable()
export class ActionsService {
  readonly #database: DatabaseService;
  readonly #actions: ActionRepository;
  readonly #changes: ActionChanges;
  readonly #dispatcher: ActionDispatcher;
  readonly #freeze: FreezeService;
  readonly #metrics: ActionMetrics;
  readonly #audit: AuditService;
  readonly #rights: DispatchRights;
  readonly #commands: CommandStopService;
  readonly #signer: CommandSigner;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(ActionRepository) actions: ActionRepository,
    @Inject(ActionChanges) changes: ActionChanges,
    @Inject(ActionDispatcher) dispatcher: ActionDispatcher,
    @Inject(FreezeService) freeze: FreezeService,
    @Inject(ActionMetrics) metrics: ActionMetrics,
    @Inject(AuditService) audit: AuditService,
    @Inject(DispatchRights) rights: DispatchRights,
    @Inject(CommandStopService) commands: CommandStopService,
    @Inject(CommandSigner) signer: CommandSigner,
  ) {
    this.#database = database;
    this.#actions = actions;
    this.#changes = changes;
    this.#dispatcher = dispatcher;
    this.#freeze = freeze;
    this.#metrics = metrics;
    this.#audit = audit;
    this.#rights = rights;
    this.#commands = commands;
    this.#signer = signer;
  }

  /**
   * Signs and stores an action, in the caller's transaction. {@link begin} after its commit.
   *
   * @throws AppError frozen, database_behind, host_not_found, forbidden, host_ambiguous, host_retired, host_revoked, host_quarantined.
   */
  async create(sql: Sql, body: CreateActionBody, caller: Caller, source: AuditSource): Promise<StoredAction> {
    await this.#freeze.requireThawed(sql);
    const epoch = await this.#commands.admit(sql);
    const host = await findActionTarget(sql, body.host, caller);
    const sequence = await takeCommandSequence(sql, host.id);
    const now = await selectNow(sql);
    const id = randomUUID();
    const action: NewAction = {
      id,
      hostId: host.id,
      verb: body.verb,
      kmod: body.kmod,
      parameters: toParameters(body.parameters ?? {}),
      dryRun: body.dryRun ?? false,
      reason: body.reason ?? null,
      requestedBy: caller.name,
      expiresAt: new Date(now.getTime() + (body.expiresIn ?? DEFAULT_LIFETIME_S) * 1000),
      confirmWindowSeconds: windowSeconds(body.confirmWindow),
      overrides: [...new Set(body.overrides ?? [])],
      undo: [],
      approvedPlans: [],
      rolloutId: null,
      planId: null,
      epoch,
      sequence,
      notBefore: now,
    };
    const envelope = await this.#signer.sign(toUnsignedRequest(action));
    await this.#actions.insert(sql, [{ action, requester: this.#rights.requesterOf(id, caller), envelope }]);
    const stored = await this.#actions.find(id, sql);
    if (stored === undefined) throw new Error(`action ${id} was stored and is not there`);
    await this.#audit.record(sql, source, { ...actionDecision(body), object: id, hosts: [host.id] });
    return stored;
  }

  /** Wakes whoever holds the host's session. Never fails: the sweep would find the action too. */
  begin(item: ActionItem): void {
    this.#metrics.accepted(item.verb);
    this.#changes.announce([item.id]);
    void this.#dispatcher.wake(item.host.id);
  }

  /** An action of a host out of scope is not found. @throws AppError action_not_found. */
  async get(id: string, scope: HostScope, sql: Sql = this.#database): Promise<StoredAction> {
    const action = await this.#actions.find(id, sql);
    if (action === undefined || !inScope(scope, action.hostLabels)) throw notFound(id);
    return action;
  }

  /** @throws AppError host_not_found, host_ambiguous, host_retired. */
  list(
    query: ActionListQuery,
    after: ActionPosition | undefined,
    scope: HostScope,
  ): Promise<{ items: StoredAction[]; next: ActionPosition | null; asOf: Date }> {
    return this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const hostId = query.host === undefined ? undefined : (await findHost(sql, query.host, scope)).id;
      const rows = await this.#actions.list(sql, {
        hostId,
        scope,
        state: query.state,
        outcome: query.outcome === undefined ? undefined : outcomeFromWord(query.outcome),
        kmod: query.kmod,
        after,
        limit: query.limit + 1,
      });
      const page = rows.slice(0, query.limit);
      const last = page.at(-1);
      const next =
        rows.length > page.length && last !== undefined ? { createdAt: last.createdAt, id: last.action.id } : null;
      return { items: page.map(({ action }) => action), next, asOf: await selectNow(sql) };
    });
  }

  /**
   * Cancels what was not sent, and notes that what was sent is to be taken back; in the caller's transaction. {@link settleCancel} after its
   * commit.
   *
   * @throws AppError action_not_found, forbidden; database_behind, when it is not known whether it was sent.
   */
  async cancel(sql: Sql, id: string, caller: Caller, source: AuditSource): Promise<Applied> {
    const { hostName, hostLabels, state } = await this.get(id, scopeOf(caller, 'read'), sql);
    requireOnHost(caller, 'act', { name: hostName, labels: hostLabels });
    const alarm = state === 'queued' ? await this.#commands.read(sql) : null;
    if (alarm !== null) {
      const why =
        'in a database that was put back an action that waits may have been sent after the backup, so nobody can say that it is cancelled';
      throw new AppError('database_behind', `${why}. ${alarm.message}`);
    }
    const applied = await this.#actions.applyIn(sql, id, { kind: 'cancel', by: caller.name });
    if (applied === undefined) throw notFound(id);
    const { kmod, hostId } = applied.before;
    await this.#audit.record(sql, source, { what: 'action.cancel', object: id, kmod, hosts: [hostId] });
    return applied;
  }

  /** Asks the host to take it back where it has been sent and has not started, and waits a moment for the host's word. @param applied what
   * {@link cancel} changed; undefined when the request is a repetition. */
  async settleCancel(
    id: string,
    applied: Applied | undefined,
    scope: HostScope,
  ): Promise<{ cancelled: boolean; action: StoredAction }> {
    if (applied !== undefined) this.#changes.applied(applied);
    let action = await this.get(id, scope);
    if (!isCancelAnswered(action)) {
      await this.#dispatcher.requestCancel(action);
      action = (await this.#changes.waitFor(id, isCancelAnswered, CANCEL_WAIT_MS)) ?? action;
    }
    return { cancelled: (action.resolvedOutcome ?? action.outcome) === 'cancelled', action };
  }
}

/** A request for an action, as the audit log keeps it whether it was allowed or not. */
export function actionDecision(body: CreateActionBody): AuditDecision {
  const { host, verb, kmod, reason, ...rest } = body;
  return { what: 'action.request', kmod, reason, details: { host, verb, ...rest } };
}

function windowSeconds(asked: true | number | undefined): number {
  return asked === true ? CONFIRM_WINDOW_DEFAULT_S : (asked ?? 0);
}

function isCancelAnswered(action: StoredAction): boolean {
  return action.cancelRequestedAt === null || action.state === 'started' || isEnded(action.state);
}

function notFound(id: string): AppError {
  return new AppError(
    'action_not_found',
    `there is no action ${JSON.stringify(id.slice(0, 64))}; GET /api/v1/actions lists them`,
  );
}
