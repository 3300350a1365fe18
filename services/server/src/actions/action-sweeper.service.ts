import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Bus } from '../bus/bus.ts';
import { COMMAND_STOP_CHANNEL } from '../command-stop/command-stop.service.ts';
import { isUnavailable } from '../database/database.errors.ts';
import { DatabaseService } from '../database/database.service.ts';
import { FREEZE_CHANNEL } from '../freeze/freeze.service.ts';
import { ActionChanges } from './action-changes.service.ts';
import { ActionDispatcher } from './action-dispatcher.service.ts';
import { selectDue } from './action.queries.ts';
import { ActionRepository, type Applied } from './action.repository.ts';

/** How late an expiry is noticed at most. The question is one look at a partial index that is empty when nothing is under way. */
const EXPIRY_INTERVAL_MS = 1_000;
/** How long a lost wake-up delays a dispatch at most. */
const WORK_INTERVAL_MS = 5_000;
/** Rows a round; more are taken in the next. */
const BATCH = 200;

/**
 * What happens because time passes: expiry, `unconfirmed`, and sending what a lost wake-up left. Every replica sweeps; a row that two of them
 * find is decided once, under its lock.
 */
@Injectable()
export class ActionSweeper implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #logger = new Logger('actions');
  readonly #database: DatabaseService;
  readonly #actions: ActionRepository;
  readonly #changes: ActionChanges;
  readonly #dispatcher: ActionDispatcher;
  readonly #bus: Bus;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #running = new Map<string, { again: boolean; done: Promise<void> }>();
  readonly #unsubscribe: (() => void)[] = [];
  /** Actions whose rows cannot be read, as the log says. */
  readonly #told = new Set<string>();
  #stopped = false;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(ActionRepository) actions: ActionRepository,
    @Inject(ActionChanges) changes: ActionChanges,
    @Inject(ActionDispatcher) dispatcher: ActionDispatcher,
    @Inject(Bus) bus: Bus,
  ) {
    this.#database = database;
    this.#actions = actions;
    this.#changes = changes;
    this.#dispatcher = dispatcher;
    this.#bus = bus;
  }

  onApplicationBootstrap(): void {
    const expire = (): void => this.#once('expiry', () => this.sweep());
    const drive = (): void => this.#once('work', () => this.#dispatcher.driveAll());
    this.#timers.push(setInterval(expire, EXPIRY_INTERVAL_MS).unref(), setInterval(drive, WORK_INTERVAL_MS).unref());
    this.#unsubscribe.push(
      this.#bus.subscribe(FREEZE_CHANNEL, drive),
      this.#bus.subscribe(COMMAND_STOP_CHANNEL, drive),
      this.#bus.onResumed(drive),
    );
  }

  async onModuleDestroy(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#stopped = true;
    await Promise.all([...this.#running.values()].map(({ done }) => done));
  }

  /** Decides everything that is due now. */
  async sweep(): Promise<void> {
    for (const id of await selectDue(this.#database, BATCH)) {
      const applied = await this.#swept(id);
      if (applied === undefined) continue;
      this.#changes.applied(applied);
      if (applied.effects.some((effect) => effect.kind === 'advance_queue'))
        await this.#dispatcher.wake(applied.after.hostId);
    }
  }

  /** A row that cannot be read is told of, once, and passed over: those behind it are due, too. */
  async #swept(id: string): Promise<Applied | undefined> {
    try {
      return await this.#actions.apply(id, { kind: 'sweep' });
    } catch (error) {
      if (isUnavailable(error)) throw error;
      if (this.#told.has(id)) return undefined;
      this.#told.add(id);
      this.#logger.error({ message: 'an action whose time is over cannot be decided', action: id, err: error });
      return undefined;
    }
  }

  /** One round of each kind at a time, and one more when it was asked for meanwhile; Postgres being away is told elsewhere. */
  #once(kind: string, round: () => Promise<void>): void {
    const running = this.#running.get(kind);
    if (running !== undefined) {
      running.again = true;
      return;
    }
    const entry = { again: false, done: Promise.resolve() };
    this.#running.set(kind, entry);
    entry.done = this.#rounds(kind, round, entry);
  }

  async #rounds(kind: string, round: () => Promise<void>, entry: { again: boolean }): Promise<void> {
    do {
      entry.again = false;
      try {
        await round();
      } catch (error) {
        if (!isUnavailable(error)) this.#logger.error({ message: `the sweep of actions failed (${kind})`, err: error });
      }
    } while (entry.again && !this.#stopped);
    this.#running.delete(kind);
  }
}
