import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { moveWithinMs, renewalRetryMs, renewAtMs } from './renewal-plan.ts';

const HOUR_MS = 3_600_000;
const day = { fromMs: 0, toMs: 24 * HOUR_MS };
const between01 = fc.double({ min: 0, max: 1, noNaN: true });

describe('when a certificate is renewed', () => {
  it('is at two thirds of a day, give or take an hour', () => {
    expect([0, 0.5, 1].map((random) => renewAtMs(day, random) / HOUR_MS)).toEqual([15, 16, 17]);
  });

  it('leaves a good quarter of every life for trying again', () => {
    fc.assert(
      fc.property(fc.integer({ min: HOUR_MS, max: 8_760 * HOUR_MS }), between01, (lifeMs, random) => {
        const at = renewAtMs({ fromMs: 5, toMs: 5 + lifeMs }, random) - 5;
        expect(at).toBeGreaterThanOrEqual(0.624 * lifeMs);
        expect(at).toBeLessThanOrEqual(0.71 * lifeMs);
      }),
    );
  });

  it('spreads a fleet that joined in one moment over two hours', () => {
    const times = Array.from({ length: 1_000 }, (_, n) => renewAtMs(day, n / 999) / HOUR_MS);
    const perQuarter = Map.groupBy(times, (hour) => Math.min(16.75, Math.floor(hour * 4) / 4));
    for (const [, hosts] of perQuarter) expect(hosts.length).toBeLessThan(150);
  });
});

it('waits between tries double up to ten minutes, over the full range', () => {
  expect([1, 2, 3, 8, 100].map((failures) => renewalRetryMs(failures, 1))).toEqual([
    5_000, 10_000, 20_000, 600_000, 600_000,
  ]);
  expect(renewalRetryMs(5, 0)).toBe(0);
});

it('a stream moves within an hour, and long before its old certificate ends', () => {
  expect(moveWithinMs(day, 16 * HOUR_MS)).toBe(HOUR_MS);
  expect(moveWithinMs({ fromMs: 0, toMs: HOUR_MS }, 40 * 60_000)).toBe(10 * 60_000);
  expect(moveWithinMs(day, 30 * HOUR_MS)).toBe(0);
});
