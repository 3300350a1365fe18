import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FlushLoop } from './flush-loop.ts';

/** Work of which batches are left, and some fail. */
function someWork(left: number, failing = 0) {
  const work = {
    left,
    failing,
    running: 0,
    ran: 0,
    said: [] as string[],
    async run(): Promise<void> {
      work.running += 1;
      expect(work.running).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 10));
      work.running -= 1;
      work.ran += 1;
      if (work.failing-- > 0) throw new Error('away');
      work.left -= 1;
    },
    waits: () => work.left > 0,
    failed: (_error: unknown, times: number) => void work.said.push(`failed ${times}`),
    recovered: () => void work.said.push('recovered'),
  };
  return work;
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('FlushLoop', () => {
  it('gathers news, runs one batch at a time, and rests when nothing waits', async () => {
    const work = someWork(3);
    const loop = new FlushLoop(work);
    for (let news = 0; news < 5; news += 1) loop.wake();
    await vi.advanceTimersByTimeAsync(24);
    expect(work.ran).toBe(0);
    await vi.advanceTimersByTimeAsync(1_000);
    expect([work.ran, work.left, work.said]).toEqual([3, 0, []]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('tries again less and less often while batches fail, and says when they no longer do', async () => {
    const work = someWork(1, 3);
    const loop = new FlushLoop(work);
    loop.wake();
    await vi.advanceTimersByTimeAsync(40);
    expect(work.said).toEqual(['failed 0']);
    await vi.advanceTimersByTimeAsync(300);
    expect(work.ran).toBe(1);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(work.said).toEqual(['failed 0', 'failed 1', 'failed 2', 'recovered']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('ends with all that waits, one batch at a time, after the one under way', async () => {
    const work = someWork(5);
    const loop = new FlushLoop(work);
    loop.wake();
    await vi.advanceTimersByTimeAsync(30);
    expect(work.running).toBe(1);
    const stopped = loop.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    await stopped;
    expect([work.ran, work.left]).toEqual([5, 0]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('runs nothing after its end, whatever is said', async () => {
    const work = someWork(0);
    const loop = new FlushLoop(work);
    await loop.stop();
    work.left = 1;
    loop.wake();
    await vi.advanceTimersByTimeAsync(60_000);
    expect([work.ran, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it('ends after one batch more where that fails', async () => {
    const work = someWork(2, 100);
    const loop = new FlushLoop(work);
    loop.wake();
    await vi.advanceTimersByTimeAsync(5_000);
    const { ran } = work;
    const stopped = loop.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    await stopped;
    expect([work.ran - ran, work.left, vi.getTimerCount()]).toEqual([1, 2, 0]);
  });
});
