import { describe, expect, it } from 'vitest';
import { StatementNames } from './statement-names.ts';

describe('names of statements', () => {
  it('are given to what comes again and again, each its own, and stay', () => {
    const names = new StatementNames();
    const thrice = (text: string) => [1, 2, 3].map(() => names.nameOf(text));
    expect(thrice('SELECT 1')).toEqual([undefined, undefined, 's1']);
    expect(thrice('SELECT 2')).toEqual([undefined, undefined, 's2']);
    expect(names.nameOf('SELECT 1')).toBe('s1');
  });

  it('are not given to thousands of texts that come once', () => {
    const names = new StatementNames();
    for (let i = 0; i < 5_000; i += 1) expect(names.nameOf(`SELECT ${i}`)).toBeUndefined();
  });

  it('are bounded, whatever comes', () => {
    const names = new StatementNames();
    const given = new Set<string | undefined>();
    for (let i = 0; i < 1_000; i += 1) for (let time = 0; time < 3; time += 1) given.add(names.nameOf(`SELECT ${i}`));
    expect(given.size).toBe(300 + 1);
  });
});
