import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ActionBatch } from '../../actions/action-batch.service.ts';
import { ActionChanges } from '../../actions/action-changes.service.ts';
import { isEnded } from '../../actions/action.states.ts';
import { shareCommands } from '../../command-stop/command-stop.queries.ts';
import { isUnavailable } from '../../database/database.errors.ts';
import { DatabaseService, type Sql } from '../../database/database.service.ts';
import { PlanRepository } from './plan.repository.ts';
import { settle } from './plan-settlement.ts';
import { selectDuePlans, tryLockAsking } from './plan-state.queries.ts';

/*
 * INVARIANTS
 * - A plan is settled once, by whoever gets its row: all of it in one transaction, or nothing. Who dies in the middle leaves it to the next round.
 * - A plan that is ready never changes again, whatever its hosts say later.
 */

/** How late it is noticed at most that the time for answers is over, or that the last answer came to a replica which died with it. */
const INTERVAL_MS = 1_000;
/** Answers that come together are looked at together. */
const SETTLE_DOWN_MS = 100;
/** Plans a round; more are taken in the next. */
const BATCH = 20;
/** What stands in the place of who cancelled a dry run that was not sent in time. No account is called so. */
const WITHDRAWN_BY = 'the end of its plan';

/**
 * Makes plans ready: when every host has answered, or the time for answers is over. Every replica looks; the last answer is stored by one of them, which then looks
 * at once, so nobody else has to be told.
 */
@Injectable()
export class PlanSettler implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #logger = new Logger('rollouts');
  readonly #database: DatabaseService;
  readonly #batch: ActionBatch;
  readonly #changes: ActionChanges;
  readonly #plans: PlanRepository;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #unsubscribe: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(ActionBatch) batch: ActionBatch,
    @Inject(ActionChanges) changes: ActionChanges,
    @Inject(PlanRepository) plans: PlanRepository,
  ) {
    this.#database = database;
    this.#batch = batch;
    this.#changes = changes;
    this.#plans = plans;
  }

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => this.#begin(), INTERVAL_MS).unref();
    this.#unsubscribe = this.#changes.onApplied(({ before, after }) => {
      if (after.planId !== null && after.dryRun && isEnded(after.state) && !isEnded(before.state)) this.wake();
    });
  }

  async onModuleDestroy(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    this.#unsubscribe?.();
    await this.#running;
  }

  /** A plan may be complete: looks soon. Never fails. */
  wake(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#begin();
    }, SETTLE_DOWN_MS).unref();
  }

  /** Settles everything that is due now. */
  async round(): Promise<void> {
    for (const id of await selectDuePlans(this.#database, BATCH)) {
      if (this.#stopped) return;
      await this.#settle(id);
    }
  }

  /** One round at a time; one that was under way when a wake came may have looked too early, and another follows. */
  #begin(): void {
    if (this.#stopped) return;
    if (this.#running !== undefined) {
      this.#again = true;
      return;
    }
    this.#again = false;
    this.#running = this.round()
      .catch((error: unknown) => {
        if (!isUnavailable(error)) this.#logger.error({ message: 'plans could not be settled', err: error });
      })
      .finally(() => {
        this.#running = undefined;
        if (this.#again) this.#begin();
      });
  }

  /** One plan that cannot be settled does not keep others from it. */
  async #settle(id: string): Promise<void> {
    try {
      const withdrawn = await this.#database.tx('READ COMMITTED', (sql) => this.#settleIn(sql, id));
      this.#batch.withdrawn(withdrawn);
    } catch (error) {
      if (isUnavailable(error)) throw error;
      this.#logger.error({ message: 'a plan could not be settled; it is tried again', planId: id, err: error });
    }
  }

  async #settleIn(sql: Sql, id: string): Promise<readonly string[]> {
    if (!(await tryLockAsking(sql, id))) return [];
    const plan = await this.#plans.find(id, 'all', sql);
    if (plan === undefined) return [];
    const { open } = await settle(sql, plan);
    // While commands are stopped nobody can say that what is called queued was not sent; it ends by itself.
    if (open.length === 0 || !(await shareCommands(sql))) return [];
    return this.#batch.withdrawQueued(sql, open, WITHDRAWN_BY);
  }
}
