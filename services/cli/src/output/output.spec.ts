import pc from 'picocolors';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText } from '../testing/any-text.ts';
import { clean, visible } from './clean.ts';
import { renderTable, renderTabs, type Column } from './table.ts';
import { clock, seconds, span } from './time.ts';
import { displayWidth, truncate, wrap } from './width.ts';
import { count, hostWord, list, shellWord } from './words.ts';

const NOW = new Date('2026-11-22T14:03:30.000Z');
const plain = pc.createColors(false);

describe('clean', () => {
  it('leaves nothing that a terminal obeys', () => {
    fc.assert(fc.property(anyText(20), (text) => !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(clean(text))));
    expect(clean('a\u001b[31mb\tc\u202ed')).toBe('a\\x1b[31mb c\\u202ed');
    expect(clean('a\u200bb\u061cc\u{e0041}\u2028')).toBe(String.raw`a\u200bb\u061cc\udb40\udc41\u2028`);
  });

  it('leaves letters of every script, and what is seen, as it is', () => {
    for (const text of ['Gerät №4 ラック', 'עברית', '🐧 tux'])
      expect([clean(text), visible(text)]).toEqual([text, text]);
  });

  it('keeps JSON what it is', () => {
    fc.assert(fc.property(anyText(20), (text) => JSON.parse(visible(JSON.stringify({ text }))).text === text));
  });
});

describe('times', () => {
  it.each([
    [0, '0s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [7_200_000, '2h'],
    [172_800_000, '2d'],
    [-5, '0s'],
  ])('spans %i ms as %s', (ms, text) => {
    expect(span(ms)).toBe(text);
  });

  it('says a time as short as it can without doubt, in the given zone', () => {
    expect(clock('2026-11-22T02:11:00.000Z', NOW, 'UTC')).toBe('02:11');
    expect(clock('2026-11-20T02:11:00.000Z', NOW, 'UTC')).toBe('20 Nov 02:11');
    expect(clock('2025-11-22T02:11:00.000Z', NOW, 'UTC')).toBe('2025-11-22 02:11');
    expect(clock('2026-11-22T00:30:00.000Z', NOW, 'America/New_York')).toBe('21 Nov 19:30');
    expect([seconds(412), seconds(2000), seconds(12_300)]).toEqual(['0.4 s', '2 s', '12 s']);
  });
});

describe('widths', () => {
  it('counts columns, not characters', () => {
    expect([displayWidth('añ'), displayWidth('日本'), displayWidth('\u001b[1mab\u001b[22m')]).toEqual([2, 4, 2]);
    expect([truncate('abcdef', 4), truncate('日本語', 4), truncate('ab', 2)]).toEqual(['abc…', '日…', 'ab']);
  });

  it('wraps at blanks, keeps the front, never loses a word', () => {
    expect(wrap('  one two three', 9, '    ')).toEqual(['  one two', '    three']);
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 }),
        fc.integer({ min: 5, max: 40 }),
        (words, width) => {
          const lines = wrap(words.join(' '), width);
          expect(lines.join(' ')).toBe(words.join(' '));
          expect(lines.every((line) => line.length <= width || !line.includes(' '))).toBe(true);
        },
      ),
    );
  });
});

describe('tables', () => {
  const columns: Column<Record<'a' | 'b' | 'c', string>>[] = [
    { head: 'FIRST', cell: (row) => row.a },
    { head: 'SECOND', cell: (row) => row.b, shrink: 1 },
    { head: 'THIRD', cell: (row) => row.c, shrink: 2, hideEmpty: true, raw: (row) => `raw ${row.c}` },
  ];
  const rows = [
    { a: 'x', b: 'a long second cell', c: 'another long cell' },
    { a: 'longer', b: 'y', c: '' },
  ];

  it('aligns, and cuts the most patient column first', () => {
    expect(renderTable(columns, rows, undefined, plain)).toBe(
      'FIRST   SECOND              THIRD\nx       a long second cell  another long cell\nlonger  y\n',
    );
    expect(renderTable(columns, rows, 39, plain).split('\n')[1]).toBe('x       a long second cell  another lo…');
    expect(renderTable(columns, rows, 30, plain).split('\n')[1]).toBe('x       a long seco…  another…');
  });

  it('leaves a column out when there is no room at all, and says so', () => {
    expect(renderTable(columns, rows, 20, plain)).toBe(
      'FIRST   SECOND\nx       a long seco…\nlonger  y\nNo room for: THIRD\n',
    );
  });

  it('hides an empty column on a terminal, never in a pipe', () => {
    const bare = rows.slice(1);
    expect(renderTable(columns, bare, 80, plain)).toBe('FIRST   SECOND\nlonger  y\n');
    expect(renderTabs(columns, bare)).toBe('longer\ty\traw \n');
  });

  it('keeps one row one line', () => {
    expect(renderTabs(columns, [{ a: 'x\ny\tz', b: '', c: '' }])).toBe('x y z\t\traw \n');
  });
});

describe('words', () => {
  it('counts, lists and quotes', () => {
    expect([count(1, 'host'), count(2, 'host')]).toEqual(['1 host', '2 hosts']);
    expect([list([]), list(['a']), list(['a', 'b', 'c'])]).toEqual(['', 'a', 'a, b and c']);
    expect([shellWord('env=prod'), shellWord("a'b c"), shellWord('@kernel<6')]).toEqual([
      'env=prod',
      `'a'\\''b c'`,
      "'@kernel<6'",
    ]);
    expect(hostWord({ id: 'ID', name: 'web-1' })).toBe('web-1');
    expect(hostWord({ id: 'ID', name: '$(reboot)' })).toBe('ID');
  });
});
