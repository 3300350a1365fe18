/** What is to be done for a host: send what waits, and perhaps first say again what was sent before. */
interface Pending {
  wanted: boolean;
  fromStart: boolean;
}

/**
 * One loop a host: calls that come while it runs lead to one more round, not to more loops. So many rounds at a time and no more, in the order of asking: each needs
 * the database, and thousands of hosts that are to be sent something at once would leave nothing of it to anybody else.
 */
export class HostWork {
  readonly #hosts = new Map<string, Pending>();
  readonly #loops = new Set<Promise<void>>();
  readonly #work: (hostId: string, fromStart: boolean) => Promise<void>;
  /** Rounds that may begin now. */
  #free: number;
  readonly #waiting: (() => void)[] = [];
  #stopped = false;

  /** @param work one round; must not throw. @param atOnce rounds at a time. */
  constructor(work: (hostId: string, fromStart: boolean) => Promise<void>, atOnce = Number.POSITIVE_INFINITY) {
    this.#work = work;
    this.#free = atOnce;
  }

  request(hostId: string, fromStart: boolean): void {
    if (this.#stopped) return;
    const running = this.#hosts.get(hostId);
    if (running !== undefined) {
      running.wanted = true;
      running.fromStart ||= fromStart;
      return;
    }
    const pending: Pending = { wanted: true, fromStart };
    this.#hosts.set(hostId, pending);
    const loop = this.#loop(hostId, pending);
    const tracked = loop.finally(() => this.#loops.delete(tracked));
    this.#loops.add(tracked);
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#loops.size > 0) await Promise.all(this.#loops);
  }

  /** Begins nothing more, and resolves when what is under way has ended. */
  stop(): Promise<void> {
    this.#stopped = true;
    return this.idle();
  }

  async #loop(hostId: string, pending: Pending): Promise<void> {
    while (pending.wanted && !this.#stopped) {
      if (this.#free > 0) this.#free -= 1;
      else await new Promise<void>((resolve) => this.#waiting.push(resolve));
      const { fromStart } = pending;
      pending.wanted = false;
      pending.fromStart = false;
      // It may have waited until after the stop.
      if (!this.#stopped) await this.#work(hostId, fromStart);
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
    this.#hosts.delete(hostId);
  }
}
