import { expect, it } from 'vitest';
import { SuspendWatch } from './suspend-watch.ts';

it('a suspend is boot time that goes on while monotonic time stands still', () => {
  const boot = { ms: 0, nowMs: () => boot.ms };
  let monotonic = 0;
  const slept: number[] = [];
  const watch = new SuspendWatch(
    boot,
    (ms) => slept.push(ms),
    () => monotonic,
  );
  const pass = (bootMs: number, monotonicMs: number): void => {
    boot.ms += bootMs;
    monotonic += monotonicMs;
    watch.check();
  };
  pass(2000, 2000);
  pass(60_000, 60_000);
  pass(2010, 2000);
  expect(slept).toEqual([]);
  pass(3_602_000, 2000);
  expect(slept).toEqual([3_600_000]);
  pass(2000, 2000);
  expect(slept).toHaveLength(1);
});
