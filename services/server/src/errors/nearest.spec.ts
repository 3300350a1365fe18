import { describe, expect, it } from 'vitest';
import { nearest } from './nearest.ts';

describe('nearest', () => {
  it.each([
    ['e1000', ['e1000e', 'e100', 'igb'], ['e1000e', 'e100']],
    ['wbe-1', ['web-1', 'db-1'], ['web-1']],
    ['snd_hda', ['snd_hda_intel', 'snd', 'usb'], ['snd_hda_intel']],
    ['zzz', ['web-1'], []],
    ['', ['a'], ['a']],
  ])('of %j among %j are %j', (wanted, names, expected) => {
    expect(nearest(wanted, names)).toEqual(expected);
  });

  it('shows three at most', () => {
    expect(nearest('web-1', ['web-2', 'web-3', 'web-4', 'web-5'])).toEqual(['web-2', 'web-3', 'web-4']);
  });
});
