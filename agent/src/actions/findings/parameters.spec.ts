import { describe, expect, it } from 'vitest';
import { PARAMETER, sameValue } from './parameters.ts';

describe('parameter grammar', () => {
  it.each(['a=1', 'a=', 'mode=active-backup', 'numbers=1,2,3', 'dyndbg=+p', 'path=/lib/x.bin', 'drv.opt=1'])(
    'takes %j',
    (text) => {
      expect(PARAMETER.test(text)).toBe(true);
    },
  );

  it.each([
    '',
    'a',
    '=1',
    'a=b c',
    'a=b\nc',
    'a=b\tc',
    'a="b"',
    "a='b'",
    'a=b\\c',
    '-r=1',
    'a b=1',
    'a=\u0000',
    'a=\u00a0b',
    `a=${'x'.repeat(600)}`,
  ])('refuses %j', (text) => {
    expect(PARAMETER.test(text)).toBe(false);
  });
});

describe('same value', () => {
  it.each([
    ['1', 'Y', 'bool'],
    ['yes', 'Y', 'bool'],
    ['off', 'N', 'bool'],
    ['', 'Y', 'bool'],
    ['1', 'Y', undefined],
    ['0x10', '16', 'int'],
    ['010', '8', 'int'],
    ['-1', '-1', 'int'],
    ['1,0x2', '1,2', 'array of int'],
    ['text', 'text', 'charp'],
    ['18446744073709551615', '18446744073709551615', 'ulong'],
  ])('%j is %j as %s', (asked, present, type) => {
    expect(sameValue(asked, present, type)).toBe(true);
  });

  it.each([
    ['1', 'N', 'bool'],
    ['1', '2', 'int'],
    ['1,2', '1', 'array of int'],
    ['010', '10', 'charp'],
    ['1', 'yes', undefined],
    ['text', 'Text', 'charp'],
    ['08', '8', 'int'],
  ])('%j is not %j as %s', (asked, present, type) => {
    expect(sameValue(asked, present, type)).toBe(false);
  });
});
