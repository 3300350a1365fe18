import type { TxEnd } from '../database/database.service.ts';

/** A sequence of row numbers. */
export interface Lane {
  readonly lane: number;
  /** The last number that is known to be committed; 0: none. */
  readonly head: number;
}

interface OpenLane extends Lane {
  head: number;
  /** By performance.now(). */
  readonly openedMs: number;
}

const DAY_MS = 24 * 60 * 60_000;
/** A lane gets no more rows after this, so that the sealer need not look at lanes for ever. */
const LANE_LIFE_MS = 7 * DAY_MS;
/** A lane that was opened so long ago has no transaction left, by far. */
export const OLD_LANE_DAYS = 30;

/**
 * Numbers for rows, without gaps and without waiting.
 *
 * INVARIANTS
 * - A lane is taken by at most one transaction at a time, and its head moves only when that one has committed: the numbers of a lane have no gaps in any
 *   snapshot, and a number that was rolled back is given out again. A gap always means that a row was removed.
 * - A lane whose transaction may have committed, or may still hold the row's lock, is never used again: nobody waits for it, nothing is given out twice.
 */
export class Lanes {
  readonly #all: OpenLane[] = [];
  readonly #free: OpenLane[] = [];

  /** A lane for one transaction. {@link release} when that has ended. */
  take(nowMs = performance.now()): Lane {
    // The last one that was given back: few lanes, and these are warm.
    for (let free = this.#free.pop(); free !== undefined; free = this.#free.pop())
      if (nowMs - free.openedMs < LANE_LIFE_MS) return free;
    const made: OpenLane = { lane: this.#all.length, head: 0, openedMs: nowMs };
    this.#all.push(made);
    return made;
  }

  /** @param written rows that the transaction put into the lane. */
  release(lane: Lane, written: number, end: TxEnd): void {
    if (end === 'unknown') return;
    const open = lane as OpenLane;
    if (end === 'committed') open.head += written;
    this.#free.push(open);
  }

  /** Every lane with rows: what must be in the database. */
  heads(): readonly Lane[] {
    return this.#all.filter(({ head }) => head > 0).map(({ lane, head }) => ({ lane, head }));
  }
}
