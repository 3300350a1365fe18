import { EventEmitter, once } from 'node:events';
import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Bus } from '../bus/bus.ts';

/** A rollout changed, by its id; who follows it reads the rows. */
const CHANGED_CHANNEL = 'rollouts';
/** Something was asked of a rollout. */
const ASKED_CHANNEL = 'rollouts-asked';

/** Tells every replica that a rollout changed, or that something was asked of it. Messages may be lost: who waits looks again by itself. */
@Injectable()
export class RolloutChanges implements OnModuleInit, OnModuleDestroy {
  readonly #bus: Bus;
  readonly #logger = new Logger('rollouts');
  readonly #emitter = new EventEmitter().setMaxListeners(0);
  readonly #asked: ((rolloutId: string) => void)[] = [];
  readonly #unsubscribe: (() => void)[] = [];

  constructor(@Inject(Bus) bus: Bus) {
    this.#bus = bus;
  }

  onModuleInit(): void {
    this.#unsubscribe.push(
      this.#bus.subscribe(CHANGED_CHANNEL, (id) => this.#emitter.emit(eventOf(id))),
      this.#bus.subscribe(ASKED_CHANNEL, (id) => {
        for (const listener of this.#asked) listener(id);
      }),
    );
  }

  onModuleDestroy(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  /** After the commit. */
  announce(rolloutId: string): void {
    this.#emitter.emit(eventOf(rolloutId));
    this.#publish(CHANGED_CHANNEL, rolloutId);
  }

  /** After the commit. */
  ask(rolloutId: string): void {
    this.#publish(ASKED_CHANNEL, rolloutId);
  }

  onAsked(listener: (rolloutId: string) => void): void {
    this.#asked.push(listener);
  }

  /** Resolves at the next announcement, after `ms`, or when `signal` aborts. Listens from the call on. */
  async next(rolloutId: string, ms: number, signal: AbortSignal): Promise<void> {
    const ended = AbortSignal.any([signal, AbortSignal.timeout(ms)]);
    await once(this.#emitter, eventOf(rolloutId), { signal: ended }).catch(() => undefined);
  }

  #publish(channel: string, rolloutId: string): void {
    this.#bus.publish(channel, rolloutId).catch((error: unknown) => {
      this.#logger.debug({ message: 'other replicas were not told of a rollout', rollout: rolloutId, err: error });
    });
  }
}

function eventOf(id: string): string {
  return `rollout:${id}`;
}
