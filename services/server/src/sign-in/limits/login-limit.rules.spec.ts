import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Counter, counted, type CounterKind, forgiven, NO_FAILURES, waitOf } from './login-limit.rules.ts';

const T0 = 1_800_000_000_000;
const MINUTE = 60_000;

/** Guesses as fast as the counter lets through, for so long. */
function guess(kind: CounterKind, forMs: number, start: Counter = NO_FAILURES): { guesses: number; counter: Counter } {
  let counter = start;
  let guesses = 0;
  for (let now = T0 + waitOf(counter, T0); now < T0 + forMs; now += Math.max(1, waitOf(counter, now))) {
    counter = counted(kind, counter, now);
    guesses += 1;
  }
  return { guesses, counter };
}

describe('login limits', () => {
  it('cost nobody who mistypes a few times a wait', () => {
    let counter = NO_FAILURES;
    for (let index = 0; index < 5; index += 1) counter = counted('account', counter, T0 + index * 1000);
    expect(waitOf(counter, T0 + 5000)).toBe(0);
  });

  it('double from a second to the longest', () => {
    const waits: number[] = [];
    let counter = NO_FAILURES;
    for (let now = T0; waits.length < 18; now += waitOf(counter, now)) {
      counter = counted('account', counter, now);
      waits.push(waitOf(counter, now) / 1000);
    }
    expect(waits).toEqual([0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
  });

  it('leave somebody who guesses for a day with about a hundred guesses at an account', () => {
    expect(guess('account', 24 * 60 * MINUTE).guesses).toBeLessThan(120);
    expect(guess('address', 24 * 60 * MINUTE).guesses).toBeLessThan(140);
    expect(guess('known', 24 * 60 * MINUTE).guesses).toBeLessThan(1500);
  });

  it('keep nobody waiting for longer than a minute at an address that is known', () => {
    const { counter } = guess('known', 24 * 60 * MINUTE);
    expect(waitOf(counter, T0 + 24 * 60 * MINUTE)).toBeLessThanOrEqual(MINUTE);
  });

  it('forget: a day later the account takes a few guesses again', () => {
    const { counter } = guess('account', 60 * MINUTE);
    const later = counter.lastAt + 24 * 60 * MINUTE;
    expect(waitOf(counted('account', counter, later), later)).toBe(0);
  });

  it('take back the one try that was right, and no more, where others are counted too', () => {
    const { counter } = guess('account', 60 * MINUTE);
    expect(forgiven('account', counter)).toEqual({ ...counter, failures: counter.failures - 1, blockedUntil: 0 });
    expect(forgiven('known', counter)).toEqual(NO_FAILURES);
  });

  it('always end, whatever the clock did', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<CounterKind>('known', 'account', 'address'),
        fc.nat({ max: 5000 }),
        fc.integer({ min: 0, max: 2 * T0 }),
        fc.integer({ min: 0, max: 2 * T0 }),
        (kind, failures, lastAt, now) => {
          const next = counted(kind, { failures, lastAt, blockedUntil: 0 }, now);
          expect(waitOf(next, now)).toBeLessThanOrEqual(15 * MINUTE);
          expect(next.failures).toBeGreaterThan(0);
        },
      ),
    );
  });
});
