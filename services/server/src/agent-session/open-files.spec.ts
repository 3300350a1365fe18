import { describe, expect, it } from 'vitest';
import { connectionsThatFit, limitIn, openFilesLimit } from './open-files.ts';

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max processes             96068                96068                processes
Max open files            1024                 20000                files
Max locked memory         8388608              8388608              bytes
`;

describe('open files', () => {
  it('are read as the kernel tells them', () => {
    expect(limitIn(LIMITS)).toBe(1024);
    expect(limitIn(LIMITS.replace('1024 ', 'unlimited '))).toBeUndefined();
    expect(limitIn('')).toBeUndefined();
    expect(openFilesLimit()).toBeGreaterThan(0);
  });

  it('leave room for what is no host', () => {
    expect(connectionsThatFit(25_000, undefined)).toBe(25_000);
    expect(connectionsThatFit(25_000, 1_048_576)).toBe(25_000);
    expect(connectionsThatFit(25_000, 20_000)).toBe(19_400);
    expect(connectionsThatFit(25_000, 256)).toBe(1);
  });
});
