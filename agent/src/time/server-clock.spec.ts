import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HostBootClock } from './boot-clock.ts';
import { OffsetServerClock } from './server-clock.ts';

class FakeBootClock {
  ms = 1000;
  nowMs(): number {
    return this.ms;
  }
}

const EPOCH = 1_700_000_000_000;

describe('server clock', () => {
  it('knows nothing before the first answer', () => {
    expect(new OffsetServerClock(new FakeBootClock()).now()).toBeUndefined();
  });

  it('contains the true server time within its error bound, wherever in the round trip the server read its clock', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 5000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat({ max: 299_000 }),
        (trip, share, later) => {
          const boot = new FakeBootClock();
          const clock = new OffsetServerClock(boot);
          const sentAtMs = boot.ms;
          boot.ms += trip;
          clock.observe({ serverTimeMs: EPOCH + sentAtMs + trip * share, sentAtMs, receivedAtMs: boot.ms });
          boot.ms += later;
          const now = clock.now();
          expect(now).toBeDefined();
          if (now !== undefined) expect(Math.abs(now.ms - (EPOCH + boot.ms))).toBeLessThanOrEqual(now.errorMs);
        },
      ),
    );
  });

  it('is void after five minutes, and when told so', () => {
    const boot = new FakeBootClock();
    const clock = new OffsetServerClock(boot);
    clock.observe({ serverTimeMs: EPOCH, sentAtMs: 1000, receivedAtMs: 1000 });
    boot.ms = 1000 + 5 * 60_000;
    expect(clock.now()).toBeDefined();
    boot.ms += 1;
    expect(clock.now()).toBeUndefined();
    clock.observe({ serverTimeMs: EPOCH, sentAtMs: boot.ms, receivedAtMs: boot.ms });
    expect(clock.now()).toBeDefined();
    clock.void();
    expect(clock.now()).toBeUndefined();
  });

  it('does not trade a good recent sample for a poor one', () => {
    const boot = new FakeBootClock();
    const clock = new OffsetServerClock(boot);
    clock.observe({ serverTimeMs: EPOCH, sentAtMs: 1000, receivedAtMs: 1000 });
    boot.ms = 9000;
    clock.observe({ serverTimeMs: EPOCH, sentAtMs: 1000, receivedAtMs: 9000 });
    expect(clock.now()?.errorMs).toBeLessThan(20);
    boot.ms = 70_000;
    clock.observe({ serverTimeMs: EPOCH + 69_000, sentAtMs: 69_000, receivedAtMs: 70_000 });
    expect(clock.now()?.errorMs).toBe(510);
  });

  it('believes a poorer sample that contradicts a good one: the machine was paused', () => {
    const boot = new FakeBootClock();
    const clock = new OffsetServerClock(boot);
    clock.observe({ serverTimeMs: EPOCH, sentAtMs: 1000, receivedAtMs: 1000 });
    boot.ms = 3000;
    clock.observe({ serverTimeMs: EPOCH + 600_000, sentAtMs: 2800, receivedAtMs: 3000 });
    expect(clock.now()).toEqual({ ms: EPOCH + 600_100, errorMs: 110 });
  });

  it('ignores an answer from before its question', () => {
    const clock = new OffsetServerClock(new FakeBootClock());
    clock.observe({ serverTimeMs: EPOCH, sentAtMs: 2000, receivedAtMs: 1000 });
    expect(clock.now()).toBeUndefined();
  });
});

describe('boot clock', () => {
  it('goes forward', () => {
    const clock = new HostBootClock();
    const first = clock.nowMs();
    expect(first).toBeGreaterThan(0);
    expect(clock.nowMs()).toBeGreaterThanOrEqual(first);
  });
});
