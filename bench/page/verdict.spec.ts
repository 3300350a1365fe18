import { describe, expect, it } from 'vitest';
import { type Figure, figure } from '../figures.ts';
import { barOf, isLeast, verdictOf } from './verdict.ts';

function rate(value: number, holds: boolean): Figure {
  return { ...figure('rate', value, '/s', 5_000, ''), holds };
}

describe('a figure against its reach', () => {
  it('holds, falls short, or has nothing to reach', () => {
    const all = [figure('a', 1, 's', 2, ''), figure('a', 3, 's', 2, ''), figure('a', 3, 's', null, '')];
    expect(all.map(verdictOf)).toEqual(['holds', 'short', 'unasked']);
  });

  it('is drawn on twice the reach, and goes on beyond', () => {
    expect(barOf(figure('a', 1, 's', 2, ''))).toEqual({ share: 0.25, goesOn: false });
    expect(barOf(figure('a', 4, 's', 2, ''))).toEqual({ share: 1, goesOn: false });
    expect(barOf(figure('a', 100, 's', 2, ''))).toEqual({ share: 1, goesOn: true });
    expect(barOf(figure('a', 0, 'actions', 0, ''))).toBeUndefined();
    expect(barOf(figure('a', 1, 's', null, ''))).toBeUndefined();
  });

  it('may have to be at least that', () => {
    expect([rate(7_000, true), rate(3_000, false)].map(isLeast)).toEqual([true, true]);
    expect([figure('a', 1, 's', 2, ''), figure('a', 3, 's', 2, '')].map(isLeast)).toEqual([false, false]);
    // Within its reach, and still not good: not every host answered.
    expect(isLeast({ ...figure('a', 1, 'ms', 2, ''), holds: false })).toBe(false);
  });
});
