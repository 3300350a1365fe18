import { describe, expect, it } from 'vitest';
import { closest } from './closest.ts';

describe('closest', () => {
  it.each([
    ['faild', 'failed'],
    ['unreachabel', 'unreachable'],
    ['onBudget', 'on_budget'],
    ['on-budget', 'on_budget'],
    ['REFUSED', 'refused'],
    ['xyz', undefined],
    ['', undefined],
  ])('of %j is %j', (typed, word) => {
    expect(closest(typed, ['failed', 'refused', 'unreachable', 'on_budget'])).toBe(word);
  });
});
