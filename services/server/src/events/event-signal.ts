import { EventEmitter, once } from 'node:events';
import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Bus } from '../bus/bus.ts';

/** Says that events were stored, not which: whoever follows reads the rows. */
export const EVENTS_CHANNEL = 'kmod_events';

const STORED = 'stored';
/** Batches are stored many times a second; those who follow are woken so often at most. */
const GATHER_MS = 200;
/** Who follows looks this often even when nobody calls: a lost wake-up costs a second, not the answer. */
const LOOK_AGAIN_MS = 1_000;

/** Wakes those who follow events, in every replica. */
@Injectable()
export class EventSignal implements OnModuleInit, OnModuleDestroy {
  readonly #bus: Bus;
  readonly #logger = new Logger('events');
  readonly #emitter = new EventEmitter().setMaxListeners(0);
  #gathering: NodeJS.Timeout | undefined;

  constructor(@Inject(Bus) bus: Bus) {
    this.#bus = bus;
  }

  onModuleInit(): void {
    this.#bus.subscribe(EVENTS_CHANNEL, () => this.#emitter.emit(STORED));
  }

  onModuleDestroy(): void {
    clearTimeout(this.#gathering);
  }

  /** After the commit, never within the transaction. Never fails: who follows looks again by itself. */
  stored(): void {
    this.#gathering ??= setTimeout(() => this.#tell(), GATHER_MS).unref();
  }

  /** Resolves at the next word, after a second, or when `signal` aborts; listens from the call on. */
  async next(signal: AbortSignal): Promise<void> {
    const ended = AbortSignal.any([signal, AbortSignal.timeout(LOOK_AGAIN_MS)]);
    await once(this.#emitter, STORED, { signal: ended }).catch(() => undefined);
  }

  #tell(): void {
    this.#gathering = undefined;
    this.#emitter.emit(STORED);
    this.#bus.publish(EVENTS_CHANNEL, '').catch((error: unknown) => {
      this.#logger.debug({ message: 'other replicas were not told of events', err: error });
    });
  }
}
