import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fnmatch } from './glob.ts';

describe('fnmatch', () => {
  it.each([
    ['abc', 'abc', true],
    ['abc', 'abcd', false],
    ['*', '', true],
    ['a*c', 'abbc', true],
    ['a*c', 'abbd', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['pci:v*d*sv*', 'pci:v00008086d000010D3sv00008086', true],
    ['x[89a-f]', 'xb', true],
    ['x[89a-f]', 'x7', false],
    ['x[!ab]', 'xc', true],
    ['x[!ab]', 'xa', false],
    ['x[]]', 'x]', true],
    ['x[z-a]', 'xm', false],
    ['x[', 'x[', true],
    [String.raw`x\*`, 'x*', true],
    [String.raw`x\*`, 'xy', false],
    ['a.c', 'abc', false],
    ['a+b(c)', 'a+b(c)', true],
    ['*\n*', 'a\nb', true],
  ])('%j matches %j: %s', (pattern, text, expected) => {
    expect(fnmatch(pattern, text)).toBe(expected);
  });

  it('matches every text with itself when nothing in it is special', () => {
    fc.assert(fc.property(fc.stringMatching(/^[\w:.,+(){}|^$/-]*$/), (text) => fnmatch(text, text)));
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), fc.string(), (pattern, text) => typeof fnmatch(pattern, text) === 'boolean'));
  });
});
