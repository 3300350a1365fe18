import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseUnavailableError } from './database.errors.ts';

export interface GroupedWork<Call, Answer> {
  /** All or nothing: a throw means that nothing of these calls was done. One answer a call, in their order. */
  run(calls: readonly Call[]): Promise<readonly Answer[]>;
  /** Calls of one key are never in one group. */
  keyOf(call: Call): string;
  readonly max: number;
  /**
   * ms between the beginnings of two groups while several calls come at a time and fewer wait than fill one: what a group costs beside its calls is shared by
   * more of them. Absent: 0.
   */
  readonly breathMs?: number;
}

interface Waiting<Call, Answer> {
  readonly call: Call;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Calls that come at about the same time are answered together, as databases commit in groups: a fleet that comes at once costs a transaction for each hundred
 * hosts, and a host that comes alone waits for nobody.
 *
 * INVARIANTS
 * - One group at a time; what comes meanwhile is in the next, in its order. After one of several calls the next takes a breath.
 * - A call that breaks its group fails alone: the others are run again, each by itself. Where the database is away all of the group hear so.
 */
export class Grouped<Call, Answer> {
  readonly #work: GroupedWork<Call, Answer>;
  #waiting: Waiting<Call, Answer>[] = [];
  #running = false;

  constructor(work: GroupedWork<Call, Answer>) {
    this.#work = work;
  }

  /** @throws what the run throws. */
  call(call: Call): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ call, resolve, reject });
      if (this.#running) return;
      this.#running = true;
      // What this turn of the event loop brings comes along.
      setImmediate(() => void this.#runAll());
    });
  }

  async #runAll(): Promise<void> {
    const { breathMs = 0, max } = this.#work;
    while (this.#waiting.length > 0) {
      const began = performance.now();
      const group = this.#nextGroup();
      await this.#runGroup(group);
      const leftMs = breathMs - (performance.now() - began);
      if (group.length > 1 && leftMs > 0 && this.#waiting.length < max) await delay(leftMs);
    }
    this.#running = false;
  }

  #nextGroup(): Waiting<Call, Answer>[] {
    const keys = new Set<string>();
    const group: Waiting<Call, Answer>[] = [];
    const later: Waiting<Call, Answer>[] = [];
    for (const [index, waiting] of this.#waiting.entries()) {
      // Ten thousand that wait are not looked at for each group.
      if (group.length === this.#work.max) {
        this.#waiting = later.concat(this.#waiting.slice(index));
        return group;
      }
      const key = this.#work.keyOf(waiting.call);
      if (!keys.has(key)) group.push(waiting);
      else later.push(waiting);
      keys.add(key);
    }
    this.#waiting = later;
    return group;
  }

  async #runGroup(group: readonly Waiting<Call, Answer>[]): Promise<void> {
    try {
      const answers = await this.#work.run(group.map(({ call }) => call));
      if (answers.length !== group.length) throw new Error('a group was not answered whole');
      for (const [index, { resolve }] of group.entries()) resolve(answers[index] as Answer);
    } catch (error) {
      if (group.length > 1 && !(error instanceof DatabaseUnavailableError))
        for (const alone of group) await this.#runGroup([alone]);
      else for (const { reject } of group) reject(error);
    }
  }
}
