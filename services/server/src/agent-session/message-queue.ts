/** A queue that one loop reads with `for await`. What is pushed after its end is dropped. */
export class MessageQueue<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  readonly #onTaken: () => void;
  #ended = false;
  #wake: (() => void) | undefined;

  /** `onTaken` is called when an item was taken out, so that a source may be let on again. */
  constructor(onTaken: () => void = () => undefined) {
    this.#onTaken = onTaken;
  }

  get length(): number {
    return this.#items.length;
  }

  push(item: T): void {
    if (this.#ended) return;
    this.#items.push(item);
    this.#wake?.();
  }

  /** No more items: the reader gets what is there, then its loop ends. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      while (this.#items.length > 0) {
        const item = this.#items.shift() as T;
        this.#onTaken();
        yield item;
      }
      if (this.#ended) return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }
}
