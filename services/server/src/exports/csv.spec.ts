import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvRecord, type CsvValue } from './csv.ts';

/** A reader of RFC 4180, of this test alone. */
function read(text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  let cell = '';
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (quoted && character === '"' && text[at + 1] === '"') cell += text[(at += 1)] ?? '';
    else if (character === '"') quoted = !quoted;
    else if (!quoted && character === ',') [record, cell] = [[...record, cell], ''];
    else if (!quoted && character === '\r' && text[at + 1] === '\n') {
      records.push([...record, cell]);
      [record, cell, at] = [[], '', at + 1];
    } else cell += character;
  }
  return records;
}

describe('csvRecord', () => {
  it.each<[CsvValue[], string]>([
    [['web-1', 3, true, null, undefined], 'web-1,3,true,,\r\n'],
    [['a,b', 'say "hi"', 'two\nlines', 'two\r\nlines'], '"a,b","say ""hi""","two\nlines","two\r\nlines"\r\n'],
    [['=HYPERLINK("http://x")'], '"\'=HYPERLINK(""http://x"")"\r\n'],
    [['+1', '-1', '@SUM(A1)'], '"\'+1","\'-1","\'@SUM(A1)"\r\n'],
    [['\t=1', ' =1', '＝1', '\r=1'], '"\'\t=1","\' =1","\'＝1","\'\r=1"\r\n'],
    [[-5, 1.5], '-5,1.5\r\n'],
    [["it's", "'=1"], "it's,'=1\r\n"],
    [['half \uD800 pair'], 'half \uFFFD pair\r\n'],
  ])('%j', (cells, expected) => {
    expect(csvRecord(cells)).toBe(expected);
  });

  it('reads back as what was written, but for the apostrophe before formulas', () => {
    const cells = fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('=1', '"', ',', '\r\n', '\t')), {
      minLength: 1,
    });
    fc.assert(
      fc.property(fc.array(cells, { minLength: 1 }), (rows) => {
        const back = read(rows.map((row) => csvRecord(row)).join(''));
        expect(
          back.map((row) => row.map((cell) => cell.replace(/^'(?=\s*[=+\-@\uFF0B\uFF0D\uFF1D\uFF20]|[\t\r\n])/, ''))),
        ).toEqual(
          rows.map((row) =>
            row.map((cell) => cell.toWellFormed().replace(/^'(?=\s*[=+\-@\uFF0B\uFF0D\uFF1D\uFF20]|[\t\r\n])/, '')),
          ),
        );
      }),
    );
  });

  it('never leaves a cell that begins as a formula', () => {
    fc.assert(
      fc.property(fc.constantFrom('=', '+', '-', '@', '\t', '\r', '\n', '＝'), fc.string(), (first, rest) => {
        expect(read(csvRecord([first + rest]))[0]?.[0]).toBe(`'${first}${rest}`);
      }),
    );
  });
});
