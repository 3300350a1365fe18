import { describe, expect, it } from 'vitest';
import { moment, momentIso } from './moment.ts';

const now = new Date('2026-11-22T14:03:22.000Z');
const iso = (text: string): string => momentIso(moment('--at', text), now);

describe('a time in the past', () => {
  it.each([
    ['90s', '2026-11-22T14:01:52.000Z'],
    ['30m', '2026-11-22T13:33:22.000Z'],
    ['2h', '2026-11-22T12:03:22.000Z'],
    ['3d', '2026-11-19T14:03:22.000Z'],
    ['2026-11-22T10:00Z', '2026-11-22T10:00:00.000Z'],
    ['2026-11-22 10:00+01:00', '2026-11-22T09:00:00.000Z'],
    ['2026-11-22T10:00:01.5Z', '2026-11-22T10:00:01.500Z'],
  ])('%s', (text, expected) => expect(iso(text)).toBe(expected));

  it.each(['', 'yesterday', '10:00', '2026-11-22', '2026-11-22T10:00', '2026-13-40T10:00Z', '2w', '-2h'])(
    'refuses %j',
    (text) => expect(() => moment('--at', text)).toThrow(/--at takes a time/),
  );
});
