import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { Bus } from '../bus/bus.ts';
import type { StoredAction } from './action.model.ts';
import { ActionMetrics } from './action-metrics.service.ts';
import { ActionRepository, type Applied } from './action.repository.ts';

/** Changes of actions, as their ids with commas between; whoever watches reads the row. */
export const ACTIONS_CHANNEL = 'actions';

/** Ids in one message of the bus, which takes BUS_PAYLOAD_MAX_BYTES: 37 bytes each. */
const IDS_A_MESSAGE = 200;
/**
 * Between two messages while many actions change: a NOTIFY is a transaction that locks the whole database as it commits. The first one waits for nobody, and what
 * changed meanwhile is in the next, once.
 */
const MESSAGES_EVERY_MS = 25;

/** A watcher looks at the row this often even when nobody calls: a lost wake-up costs a second, not the answer. */
const LOOK_AGAIN_MS = 1_000;

/** Tells watchers in every replica that an action changed. */
@Injectable()
export class ActionChanges implements OnModuleInit {
  readonly #bus: Bus;
  readonly #actions: ActionRepository;
  readonly #metrics: ActionMetrics;
  readonly #logger = new Logger('actions');
  readonly #emitter = new EventEmitter().setMaxListeners(0);
  /** Ids that other replicas are told next. */
  readonly #untold = new Set<string>();
  #telling = false;

  constructor(
    @Inject(Bus) bus: Bus,
    @Inject(ActionRepository) actions: ActionRepository,
    @Inject(ActionMetrics) metrics: ActionMetrics,
  ) {
    this.#bus = bus;
    this.#metrics = metrics;
    this.#actions = actions;
  }

  onModuleInit(): void {
    this.#bus.subscribe(ACTIONS_CHANNEL, (ids) => {
      for (const id of ids.split(',')) this.#emitter.emit(eventOf(id));
    });
  }

  /** Calls `listener` after each change that this process has committed. @returns what ends it. */
  onApplied(listener: (applied: Applied) => void): () => void {
    this.#emitter.on(APPLIED, listener);
    return () => void this.#emitter.off(APPLIED, listener);
  }

  /** After the commit: counts what changed and tells watchers. */
  applied(applied: Applied): void {
    this.#metrics.applied(applied);
    if (applied.after.version === applied.before.version) return;
    this.#emitter.emit(APPLIED, applied);
    this.announce([applied.after.id]);
  }

  /** After the commit. Never fails: watchers look again by themselves. */
  announce(ids: readonly string[]): void {
    for (const id of ids) this.#emitter.emit(eventOf(id));
    for (const id of ids) this.#untold.add(id);
    if (!this.#telling) void this.#tellOthers();
  }

  async #tellOthers(): Promise<void> {
    this.#telling = true;
    // What this turn of the event loop brings comes along.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#untold.size > 0) {
      const some = [...this.#untold].slice(0, IDS_A_MESSAGE);
      for (const id of some) this.#untold.delete(id);
      try {
        await this.#bus.publish(ACTIONS_CHANNEL, some.join(','));
      } catch (error) {
        this.#logger.debug({ message: 'other replicas were not told of a change', actionIds: some, err: error });
      }
      if (this.#untold.size < IDS_A_MESSAGE) await delay(MESSAGES_EVERY_MS, undefined, { ref: false });
    }
    this.#telling = false;
  }

  /**
   * The action now, and again at each version after it, until `signal` aborts. Ends when there is no such action.
   *
   * @throws DatabaseUnavailableError when Postgres is away at the first look; later ones are repeated.
   */
  async *watch(id: string, signal: AbortSignal): AsyncGenerator<StoredAction> {
    let seen = 0;
    while (!signal.aborted) {
      const changed = this.#nextChange(id, signal);
      const action = await this.#look(id, seen === 0);
      if (action === undefined) {
        if (seen === 0) return;
      } else if (action.version > seen) {
        seen = action.version;
        yield action;
      }
      await changed;
    }
  }

  /** The action once `reached` holds, or as it is after `timeoutMs`. */
  async waitFor(
    id: string,
    reached: (action: StoredAction) => boolean,
    timeoutMs: number,
  ): Promise<StoredAction | undefined> {
    const signal = AbortSignal.timeout(timeoutMs);
    let last: StoredAction | undefined;
    for await (const action of this.watch(id, signal)) {
      last = action;
      if (reached(action)) return action;
    }
    return last;
  }

  async #look(id: string, first: boolean): Promise<StoredAction | undefined> {
    try {
      return await this.#actions.find(id);
    } catch (error) {
      if (first) throw error;
      return undefined;
    }
  }

  /** Resolves at the next announcement, after {@link LOOK_AGAIN_MS}, or when the watch ends; listens from the call on, so nothing slips by. */
  async #nextChange(id: string, signal: AbortSignal): Promise<void> {
    const ended = AbortSignal.any([signal, AbortSignal.timeout(LOOK_AGAIN_MS)]);
    await once(this.#emitter, eventOf(id), { signal: ended }).catch(() => undefined);
  }
}

const APPLIED = 'applied';

function eventOf(id: string): string {
  return `action:${id}`;
}
