import type { BusHandler } from './bus.ts';

/** Who listens to what; shared by the drivers. */
export class Subscriptions {
  readonly #handlers = new Map<string, Set<BusHandler>>();
  readonly #onError: (error: unknown, channel: string) => void;

  constructor(onError: (error: unknown, channel: string) => void) {
    this.#onError = onError;
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

  deliver(channel: string, payload: string): void {
    for (const handler of this.#handlers.get(channel) ?? []) {
      try {
        handler(payload);
      } catch (error) {
        this.#onError(error, channel);
      }
    }
  }
}
