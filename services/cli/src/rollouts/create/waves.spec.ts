import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foreseenWaves } from './waves.ts';

describe('foreseenWaves', () => {
  it.each([
    [['1', '10%', '100%'], 40, 0, [1, 3, 36]],
    [['1%', '10%'], 20, 0, [2, 18]],
    [['1', '10%'], 40, 6, [6, 34]],
    [[], 40, 0, [40]],
    [['50'], 40, 0, [40]],
    [['2.5%', '7%'], 100, 0, [2, 5, 93]],
    [['1'], 0, 0, []],
  ])('%j of %i hosts with %i canaries', (waves, total, canaries, sizes) => {
    expect(foreseenWaves(waves, total, canaries).map(({ hosts }) => hosts)).toEqual(sizes);
  });

  it('has every host in one wave, and no empty wave', () => {
    const amount = fc.oneof(
      fc.nat(1000).map(String),
      fc.nat(100).map((n) => `${n}%`),
    );
    fc.assert(
      fc.property(fc.array(amount), fc.nat(2000), fc.nat(20), (waves, total, canaries) => {
        const sizes = foreseenWaves(waves, total, canaries).map(({ hosts }) => hosts);
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(total);
        expect(sizes.every((size) => size > 0)).toBe(true);
      }),
    );
  });
});
