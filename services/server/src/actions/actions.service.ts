import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { outcomeFromWord } from '@modfleet/proto';
import type { z } from 'zod';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { FreezeService } from '../freeze/freeze.service.ts';
import { ActionChanges } from './action-changes.service.ts';
import { ActionDispatcher } from './action-dispatcher.service.ts';
import type { StoredAction } from './action.model.ts';
import { selectNow } from './action.queries.ts';
import { ActionRepository } from './action.repository.ts';
import { isInFlight } from './action.states.ts';
import { selectTargets } from './action-target.queries.ts';
import { chooseTarget } from './action-target.ts';
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

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(ActionRepository) actions: ActionRepository,
    @Inject(ActionChanges) changes: ActionChanges,
    @Inject(ActionDispatcher) dispatcher: ActionDispatcher,
    @Inject(FreezeService) freeze: FreezeService,
  ) {
    this.#database = database;
    this.#actions = actions;
    this.#changes = changes;
    this.#dispatcher = dispatcher;
    this.#freeze = freeze;
  }

  /**
   * Stores an action, in the caller's transaction. {@link begin} after its commit.
   *
   * @throws AppError frozen, host_not_found, host_ambiguous, host_retired, host_quarantined.
   */
  async create(sql: Sql, body: CreateActionBody, requestedBy: string): Promise<StoredAction> {
    const freeze = await this.#freeze.read(sql);
    if (freeze !== null) {
      throw new AppError('frozen', `The fleet is frozen by ${freeze.by} since ${freeze.at}: ${freeze.reason}. "modfleet thaw" ends the freeze.`);
    }
    const host = chooseTarget(body.host, await selectTargets(sql, body.host));
    const now = await selectNow(sql);
    const id = randomUUID();
    await this.#actions.insert(sql, {
      id,
      hostId: host.id,
      verb: body.verb,
      kmod: body.kmod,
      parameters: toParameters(body.parameters ?? {}),
      dryRun: body.dryRun ?? false,
      reason: body.reason ?? null,
      requestedBy,
      expiresAt: new Date(now.getTime() + (body.expiresIn ?? DEFAULT_LIFETIME_S) * 1000),
    });
    const stored = await this.#actions.find(id, sql);
    if (stored === undefined) throw new Error(`action ${id} was stored and is not there`);
    return stored;
  }

  /** Wakes whoever holds the host's session. Never fails: the sweep would find the action too. */
  begin(action: Pick<StoredAction, 'id' | 'hostId'>): void {
    this.#changes.announce(action.id);
    void this.#dispatcher.wake(action.hostId);
  }

  /** @throws AppError action_not_found. */
  async get(id: string): Promise<StoredAction> {
    const action = await this.#actions.find(id);
    if (action === undefined) throw notFound(id);
    return action;
  }

  /** @throws AppError host_not_found, host_ambiguous. */
  list(query: ActionListQuery, after: ActionPosition | undefined): Promise<{ items: StoredAction[]; next: ActionPosition | null; asOf: Date }> {
    return this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const hostId = query.host === undefined ? undefined : await this.#hostOfList(sql, query.host);
      const rows = await this.#actions.list(sql, {
        hostId,
        state: query.state,
        outcome: query.outcome === undefined ? undefined : outcomeFromWord(query.outcome),
        kmod: query.kmod,
        after,
        limit: query.limit + 1,
      });
      const page = rows.slice(0, query.limit);
      const last = page.at(-1);
      const next = rows.length > page.length && last !== undefined ? { createdAt: last.createdAt, id: last.action.id } : null;
      return { items: page.map(({ action }) => action), next, asOf: await selectNow(sql) };
    });
  }

  /**
   * Cancels what was not sent; asks the host to take back what was, and waits a moment for its word.
   *
   * @throws AppError action_not_found.
   */
  async cancel(id: string, by: string): Promise<{ cancelled: boolean; action: StoredAction }> {
    const applied = await this.#actions.apply(id, { kind: 'cancel', by });
    if (applied === undefined) throw notFound(id);
    this.#changes.announce(id);
    let action = applied.after;
    if (applied.effects.some((effect) => effect.kind === 'send_cancel')) {
      await this.#dispatcher.requestCancel(action);
      action = (await this.#changes.waitFor(id, isCancelAnswered, CANCEL_WAIT_MS)) ?? action;
    }
    return { cancelled: (action.resolvedOutcome ?? action.outcome) === 'cancelled', action };
  }

  /** Retired hosts too: their actions are still there to be read. */
  async #hostOfList(sql: Sql, idOrName: string): Promise<string> {
    const rows = await selectTargets(sql, idOrName);
    const [only, second] = rows;
    if (only === undefined) throw new AppError('host_not_found', `no host has the id or name ${JSON.stringify(idOrName.slice(0, 64))}`);
    if (second === undefined || only.id === idOrName.toLowerCase()) return only.id;
    const live = rows.filter((row) => row.retired_at === null);
    if (live.length === 1 && live[0] !== undefined) return live[0].id;
    const candidates = rows.map((row) => row.id);
    throw new AppError('host_ambiguous', `${rows.length} hosts have this name; say which one by its id: ${candidates.join(', ')}`, { candidates });
  }
}

function isCancelAnswered(action: StoredAction): boolean {
  return !isInFlight(action.state) || action.state === 'started';
}

function notFound(id: string): AppError {
  return new AppError('action_not_found', `there is no action ${id.slice(0, 64)}; "modfleet actions list" shows them`);
}
