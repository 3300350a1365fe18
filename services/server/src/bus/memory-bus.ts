import { Bus, type BusHandler } from './bus.ts';
import { Subscriptions } from './subscriptions.ts';

/** A bus inside one process, for unit tests. Delivers after the publisher's turn, as a real one does. */
export class MemoryBus extends Bus {
  readonly #subscriptions = new Subscriptions((error) => {
    throw error;
  });

  override async publish(channel: string, payload: string): Promise<void> {
    await Promise.resolve();
    this.#subscriptions.deliver(channel, payload);
  }

  override subscribe(channel: string, handler: BusHandler): () => void {
    return this.#subscriptions.add(channel, handler);
  }

  override onResumed(): () => void {
    return () => undefined;
  }
}
