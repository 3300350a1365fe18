/** After a connection is made and what the server lacked was sent, ms. */
const AFTER_CONNECT_MS = 20_000;

/** How often what observations leave behind is collected, ms. A collection takes tens of milliseconds. */
const EVERY_MS = 900_000;

/**
 * Gives memory back that an idle program would keep: V8 collects when it allocates, and an idle agent hardly does, so the garbage of its start
 * would stay for hours. Needs `--expose-gc` (the launcher gives it); without it nothing happens.
 */
export class SpareMemory {
  #soon: NodeJS.Timeout | undefined;
  readonly #regularly = setInterval(collect, EVERY_MS);

  constructor() {
    this.#regularly.unref();
  }

  connected(): void {
    clearTimeout(this.#soon);
    this.#soon = setTimeout(collect, AFTER_CONNECT_MS);
    this.#soon.unref();
  }

  stop(): void {
    clearTimeout(this.#soon);
    clearInterval(this.#regularly);
  }
}

/** The flavor also drops the machine code and caches of what has not run lately. */
function collect(): void {
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
