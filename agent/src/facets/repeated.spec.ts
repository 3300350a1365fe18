import { describe, expect, it } from 'vitest';
import { Repeated } from './repeated.ts';

/** A work whose runs a test ends one by one. */
function gated() {
  const ends: (() => void)[] = [];
  let running = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++running);
    await new Promise<void>((resolve) => ends.push(resolve));
    running--;
  };
  return { repeated: new Repeated(work), ends, most: () => most };
}

describe('Repeated', () => {
  it('runs once at a time, and answers all requests during a run by one more', async () => {
    const { repeated, ends, most } = gated();
    const first = repeated.trigger();
    const later = [repeated.trigger(), repeated.trigger(), repeated.trigger()];
    expect(ends).toHaveLength(1);
    ends[0]?.();
    await first;
    await Promise.resolve();
    expect(ends).toHaveLength(2);
    ends[1]?.();
    await Promise.all(later);
    expect(most()).toBe(1);
    expect(ends).toHaveLength(2);
  });

  it('begins anew after it ended', async () => {
    const { repeated, ends } = gated();
    const first = repeated.trigger();
    ends[0]?.();
    await first;
    void repeated.trigger();
    expect(ends).toHaveLength(2);
    ends[1]?.();
  });
});
