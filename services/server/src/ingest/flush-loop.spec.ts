import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FlushLoop } from './flush-loop.ts';

/** So many batches wait; a run takes one, or fails. */
function loopOver(waiting: number): {
  loop: FlushLoop;
  runs: () => number;
  left: () => number;
  add: () => void;
  fail: (fails: boolean) => void;
} {
  let [left, runs, fails] = [waiting, 0, false];
  const loop = new FlushLoop({
    run: async () => {
      runs += 1;
      await Promise.resolve();
      if (fails) throw new Error('no database');
      left -= 1;
    },
    waits: () => left > 0,
    failed: () => undefined,
    recovered: () => undefined,
  });
  return {
    loop,
    runs: () => runs,
    left: () => left,
    add: () => {
      left += 1;
      loop.wake();
    },
    fail: (next) => (fails = next),
  };
}

describe('FlushLoop', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('goes on while something waits', async () => {
    const { loop, left } = loopOver(3);
    loop.wake();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(left()).toBe(0);
  });

  it('writes all that waits when it stops, and nothing after', async () => {
    const { loop, left, runs, add } = loopOver(4);
    loop.wake();
    await loop.stop();
    expect(left()).toBe(0);
    add();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(runs()).toBe(4);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('tries once more where nothing can be written when it stops, and no more', async () => {
    const { loop, left, runs, fail } = loopOver(2);
    fail(true);
    loop.wake();
    await vi.advanceTimersByTimeAsync(5_000);
    const before = runs();
    await loop.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect([left(), runs() - before]).toEqual([2, 1]);
  });
});
