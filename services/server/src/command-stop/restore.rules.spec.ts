import { describe, expect, it } from 'vitest';
import { epochAfter, provesRestore } from './restore.rules.ts';

const known = { epoch: 2, sequence: 7, actionOfNumber: undefined };
const taken = (epoch: number, sequence: number) => ({ epoch, sequence, actionId: 'a' });

describe('a restore', () => {
  it('is proven by a higher number, a higher epoch, and a number that another action has', () => {
    expect(provesRestore(taken(2, 8), known)).toBe(true);
    expect(provesRestore(taken(3, 1), known)).toBe(true);
    expect(provesRestore(taken(2, 5), { ...known, actionOfNumber: 'b' })).toBe(true);
  });

  it('is not by what is known, by what is not kept, nor by an epoch that is over', () => {
    expect(provesRestore(taken(2, 7), { ...known, actionOfNumber: 'a' })).toBe(false);
    expect(provesRestore(taken(2, 5), known)).toBe(false);
    expect(provesRestore(taken(1, 99), { ...known, actionOfNumber: 'b' })).toBe(false);
  });

  it('is followed by an epoch above this one and above what hosts know', () => {
    expect([epochAfter(1, null), epochAfter(2, 1), epochAfter(1, 5)]).toEqual([2, 3, 6]);
  });
});
