import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText } from '../testing/any-text.ts';
import { CliError } from '../errors/cli-error.ts';
import {
  driverName,
  duration,
  hostName,
  keyValue,
  kmodName,
  kmodOrAlias,
  pageSize,
  selector,
  someOf,
  uuid,
} from './values.ts';

const RANGE = { min: 100, max: 86_400_000 };

describe('duration', () => {
  it.each([
    ['500ms', 500],
    ['2s', 2000],
    ['2', 2000],
    ['1.5s', 1500],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['1d', 86_400_000],
  ])('reads %s as %i ms', (text, ms) => {
    expect(duration('--x', text, RANGE)).toBe(ms);
  });

  it.each(['', '2 s', '-1s', '1w', 's', '99ms', '25h', '1e3', 'NaN', '0x10'])('refuses %j', (text) => {
    expect(() => duration('--x', text, RANGE)).toThrow('--x takes a time from 100ms to 1d');
  });

  it.each([
    [{ min: 30_000, max: 600_000 }, 'from 30s to 10m, for example 45s, 2m, 5m; not "5"'],
    [{ min: 100, max: 3_000 }, 'from 100ms to 3s, for example 500ms, 2s; not "5"'],
    [{ min: 6_000, max: 366 * 86_400_000 }, 'from 6s to 366d, for example 45s, 1h, 7d; not "5"'],
    [{ min: 6_000, max: 7_000 }, 'from 6s to 7s; not "5"'],
  ])('of %j gives examples that it takes', (range, words) => {
    expect(() => duration('--x', '5', range)).toThrow(words);
  });
});

describe('names', () => {
  it('folds "-" in a kmod name, keeps an alias as it is', () => {
    expect(kmodName('snd-pcm')).toBe('snd_pcm');
    expect(kmodOrAlias('algif-aead')).toBe('algif_aead');
    expect(kmodOrAlias('pci:v00008086d000010D3sv*sd*bc*sc*i*')).toBe('pci:v00008086d000010D3sv*sd*bc*sc*i*');
  });

  it.each(['-r', 'a b', '../x', 'a:b;c', 'a:$(x)', ':x', 'a:\n', 'é'])('refuses %j as a kmod or alias', (text) => {
    expect(() => kmodOrAlias(text)).toThrow(CliError);
  });

  it('takes hosts as the kernel names them and ids, nothing else', () => {
    expect(hostName('web-1.example.com')).toBe('web-1.example.com');
    for (const bad of ['', '-x', 'a b', 'a/b', 'a=b', 'x'.repeat(254)]) expect(() => hostName(bad)).toThrow(CliError);
  });

  it('takes driver names with blanks and brackets', () => {
    expect(driverName('Generic PHY (rev 2)')).toBe('Generic PHY (rev 2)');
    for (const bad of ['', ' ', 'a/b', 'a\nb', '-x', 'x'.repeat(256)]) expect(() => driverName(bad)).toThrow(CliError);
  });

  it('never lets through what a path, header or terminal could read in another way', () => {
    fc.assert(
      fc.property(anyText(60), (text) => {
        for (const parse of [kmodName, kmodOrAlias, hostName]) {
          let parsed: string;
          try {
            parsed = parse(text);
          } catch (error) {
            expect(error).toBeInstanceOf(CliError);
            continue;
          }
          expect(parsed).toMatch(/^[\x21-\x7e]+$/);
          expect(parsed.startsWith('-')).toBe(false);
        }
      }),
    );
  });
});

describe('other values', () => {
  it('reads page sizes from 1 to 1000', () => {
    expect([pageSize('1'), pageSize('1000')]).toEqual([1, 1000]);
    for (const bad of ['0', '1001', '1000000000', '-1', '1.5', '', 'all'])
      expect(() => pageSize(bad)).toThrow('1 to 1000');
  });

  it('takes no key twice', () => {
    const one = keyValue('--label', 'a=b=c');
    expect(one).toEqual({ a: 'b=c' });
    expect(() => keyValue('--label', 'a=d', one)).toThrow('given twice');
    expect(() => keyValue('--label', '=d')).toThrow('key=value');
  });

  it('takes words of a list, each once', () => {
    const parse = someOf('--x', ['a', 'b']);
    expect(parse('b, a,b')).toEqual(['b', 'a']);
    expect(() => parse('a,c')).toThrow('--x takes one of a, b; not "c"');
  });

  it('refuses an empty selector and what is no id', () => {
    expect(() => selector('  ')).toThrow('the selector is empty');
    expect(() => uuid('an action', '42', 'x')).toThrow('no id of an action');
  });
});
