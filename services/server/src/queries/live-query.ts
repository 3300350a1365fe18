import { setImmediate as nextTurn } from 'node:timers/promises';
import type { z } from 'zod';
import type { queryAnswerSchema, queryEndSchema } from './queries.schema.ts';

export type HostAnswer = z.output<typeof queryAnswerSchema>;
export type QueryEnd = z.output<typeof queryEndSchema>;
export type NoAnswer = QueryEnd['noAnswer'][number];

/** A host that is asked. */
export interface QueryTarget {
  readonly id: string;
  readonly name: string;
}

/** Sources of time, so that tests need none. */
export interface QueryClock {
  /** Milliseconds, monotonic. */
  now(): number;
}

/**
 * One question that is out: who was asked, who answered, who did not and why. Pure bookkeeping; whoever owns it does the sending.
 *
 * INVARIANTS
 * - Every target ends in exactly one of: answered, or in `noAnswer` with its reason.
 * - What comes from a host that was not asked, that answered already, or after the end, is dropped.
 */
export class LiveQuery {
  readonly #targets: ReadonlyMap<string, QueryTarget>;
  readonly #open: Set<string>;
  readonly #noAnswer = new Map<string, NoAnswer>();
  #answers: HostAnswer[] = [];
  readonly #clock: QueryClock;
  readonly #startedAt: number;
  #answered = 0;
  #wake: (() => void) | undefined;
  #over = false;

  constructor(targets: readonly QueryTarget[], clock: QueryClock) {
    this.#targets = new Map(targets.map((target) => [target.id, target]));
    this.#open = new Set(this.#targets.keys());
    this.#clock = clock;
    this.#startedAt = clock.now();
  }

  get answered(): number {
    return this.#answered;
  }

  get done(): boolean {
    return this.#over || this.#open.size === 0;
  }

  /** `health` undefined: it was not asked for. */
  answer(hostId: string, kmods: HostAnswer['kmods'], health?: HostAnswer['health']): void {
    const target = this.#close(hostId);
    if (target === undefined) return;
    this.#answered += 1;
    const told = health === undefined ? {} : { health };
    this.#answers.push({ host: { id: target.id, name: target.name }, kmods, ...told, elapsedMs: this.#elapsed() });
    this.#wake?.();
  }

  noAnswer(hostId: string, reason: NoAnswer['reason'], detail: string): void {
    const target = this.#close(hostId);
    if (target === undefined) return;
    this.#noAnswer.set(hostId, { host: { id: target.id, name: target.name }, reason, detail });
    this.#wake?.();
  }

  /** Time is over, or nobody listens any more: whoever is still open did not answer. */
  finish(detail: string): void {
    for (const hostId of this.#open) this.noAnswer(hostId, 'timeout', detail);
    this.#over = true;
    this.#wake?.();
  }

  /** Answers as they come, all that wait at a time; ends when every target is accounted for. */
  async *answers(): AsyncGenerator<readonly HostAnswer[]> {
    for (;;) {
      const next = this.#answers;
      this.#answers = [];
      if (next.length > 0) yield next;
      else if (this.done) return;
      else {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        // What this turn of the event loop brings comes along.
        await nextTurn();
      }
    }
  }

  end(): QueryEnd {
    return {
      targets: this.#targets.size,
      answered: this.#answered,
      noAnswer: [...this.#noAnswer.values()].sort((a, b) => (a.host.name < b.host.name ? -1 : 1)),
      elapsedMs: this.#elapsed(),
    };
  }

  #close(hostId: string): QueryTarget | undefined {
    return !this.#over && this.#open.delete(hostId) ? this.#targets.get(hostId) : undefined;
  }

  #elapsed(): number {
    return Math.round(this.#clock.now() - this.#startedAt);
  }
}
