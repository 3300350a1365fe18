import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Lingering } from './lingering.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('ends what nobody took the place of, after ten seconds', () => {
  const lingering = new Lingering();
  const ended = vi.fn<() => void>();
  lingering.putOff(ended);
  vi.advanceTimersByTime(9_999);
  expect(ended).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(ended).toHaveBeenCalledOnce();
  lingering.stop();
  expect(ended).toHaveBeenCalledOnce();
});

it('ends all at once when this process stops', () => {
  const lingering = new Lingering();
  const ends = [vi.fn<() => void>(), vi.fn<() => void>()];
  for (const end of ends) lingering.putOff(end);
  lingering.stop();
  for (const end of ends) expect(end).toHaveBeenCalledOnce();
  expect(vi.getTimerCount()).toBe(0);
});
