import { Logger } from '@nestjs/common';
import { type BusHandler, replicaChannel } from './bus.ts';
import { decodeMessage, replicaOf } from './bus-message.ts';

/** What every driver does with what arrives: who listens to what, and who wants to hear that the bus is back. */
export class Delivery {
  readonly #log = new Logger('Bus');
  readonly #ownChannel: string;
  readonly #handlers = new Map<string, Set<BusHandler>>();
  readonly #resumed = new Set<() => void>();

  constructor(replicaId: string) {
    this.#ownChannel = replicaChannel(replicaId);
  }

  add(channel: string, handler: BusHandler): () => void {
    const handlers = this.#handlers.get(channel) ?? new Set();
    this.#handlers.set(channel, handlers);
    handlers.add(handler);
    return () => {
      handlers.delete(handler);
      if (handlers.size === 0 && this.#handlers.get(channel) === handlers) this.#handlers.delete(channel);
    };
  }

  onResumed(handler: () => void): () => void {
    this.#resumed.add(handler);
    return () => void this.#resumed.delete(handler);
  }

  resumed(): void {
    for (const handler of this.#resumed) handler();
  }

  receive(text: string): void {
    const message = decodeMessage(text);
    if (message === undefined) {
      this.#log.warn('a message on the bus that is none of ours was ignored');
      return;
    }
    const [channel, payload] = message;
    if (replicaOf(channel) !== undefined && channel !== this.#ownChannel) return;
    for (const handler of this.#handlers.get(channel) ?? []) {
      try {
        handler(payload);
      } catch (error) {
        this.#log.error(`a handler of ${channel} failed`, error as Error);
      }
    }
  }
}
