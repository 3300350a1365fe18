import { describe, expect, it } from 'vitest';
import { anchor, inDigits, inMinutes } from './words.ts';

describe('numbers and dates on the page', () => {
  it('can be read', () => {
    expect([inDigits(18_001), inDigits(0.082), inDigits(33)]).toEqual(['18,001', '0.082', '33']);
    expect([inMinutes('2026-11-29T23:48:18.167Z'), inMinutes('')]).toEqual(['2026-11-29 23:48 UTC', '']);
    expect(anchor('100000 hosts, 30 % distinct')).toBe('100000-hosts-30-distinct');
  });
});
