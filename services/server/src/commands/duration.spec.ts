import { describe, expect, it } from 'vitest';
import { parseDuration } from './duration.ts';

describe('parseDuration', () => {
  it.each([
    ['30s', 30],
    ['15m', 900],
    ['1h', 3600],
    ['90d', 7_776_000],
  ])('%s is %d s', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  it.each(['', '0s', '1', 'h', '-1h', '1.5h', '1h30m', '99999999d'])('refuses %j', (text) => {
    expect(() => parseDuration(text)).toThrow('is no duration');
  });
});
