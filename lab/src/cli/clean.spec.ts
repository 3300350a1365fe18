import { describe, expect, it } from 'vitest';
import { freeNames } from './boot.ts';
import { outdated } from './clean.ts';

const folder = (name: string, usedAt: number) => ({ path: `/cache/${name}`, name, usedAt });

describe('outdated', () => {
  it('keeps the most recently used of each name', () => {
    const folders = [
      folder('disk-fast-aaaaaaaaaaaa', 1),
      folder('disk-fast-bbbbbbbbbbbb', 3),
      folder('disk-fast-cccccccccccc', 2),
    ];
    expect(outdated([...folders, folder('disk-full-dddddddddddd', 0)], 2)).toEqual(['/cache/disk-fast-aaaaaaaaaaaa']);
  });
});

describe('freeNames', () => {
  it('skips names that running hosts have', () => {
    expect(freeNames(3, new Set(['lab-1', 'lab-3']))).toEqual(['lab-2', 'lab-4', 'lab-5']);
  });
});
