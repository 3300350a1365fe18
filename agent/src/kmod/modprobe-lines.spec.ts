import { describe, expect, it } from 'vitest';
import { parseModprobeFile } from './modprobe-lines.ts';

function parse(text: string) {
  return parseModprobeFile({ path: '/etc/modprobe.d/x.conf', text });
}

describe('parseModprobeFile', () => {
  it('reads every keyword, with dashes folded', () => {
    const { entries, ignored } = parse(
      [
        'blacklist algif-aead',
        'install tipc /bin/false',
        'alias net-pf-30 tipc',
        'options  dummy   numdummies=0',
        'remove foo /bin/true',
        'softdep X-y pre: a-b post: c',
      ].join('\n'),
    );
    expect(ignored).toEqual([]);
    expect(entries.map(({ keyword, subject, rest, line }) => [keyword, subject, rest, line])).toEqual([
      ['blacklist', 'algif_aead', '', 1],
      ['install', 'tipc', '/bin/false', 2],
      ['alias', 'net_pf_30', 'tipc', 3],
      ['options', 'dummy', 'numdummies=0', 4],
      ['remove', 'foo', '/bin/true', 5],
      ['softdep', 'X_y', 'pre: a-b post: c', 6],
    ]);
  });

  it('joins lines after a backslash and counts from the first', () => {
    const { entries } = parse('install tipc \\\n  /bin/false\nblacklist floppy\n');
    expect(entries.map(({ keyword, rest, line }) => [keyword, rest, line])).toEqual([
      ['install', '/bin/false', 1],
      ['blacklist', '', 3],
    ]);
  });

  it('lets a comment that ends in a backslash swallow the next line', () => {
    const { entries } = parse('# for safety \\\nblacklist tipc\nblacklist floppy\n');
    expect(entries.map((entry) => entry.subject)).toEqual(['floppy']);
  });

  it('drops a backslash that joins nothing', () => {
    expect(parse('options x a=\\"b\n').entries[0]?.rest).toBe('a="b');
  });

  it.each([
    ['\uFEFFblacklist tipc', 'byte-order mark'],
    ['Blacklist tipc', 'not lower case'],
    ['  # comment', 'first column'],
    ['include /etc/other', 'no keyword'],
    ['blacklist', 'without a name'],
    ['install tipc', 'without what to do'],
    ['options tipc', 'without what to do'],
    ['alias foo', 'without a kmod'],
  ])('ignores %j and says why', (line, why) => {
    const { entries, ignored } = parse(`${line}\nblacklist floppy\n`);
    expect(entries.map((entry) => entry.subject)).toEqual(['floppy']);
    expect(ignored[0]?.why).toContain(why);
    expect(ignored[0]?.line).toBe(1);
  });

  it('ignores a name that ends in a carriage return, which modprobe takes as part of it', () => {
    const { entries, ignored } = parse('blacklist tipc\r\ninstall rds /bin/false\r\n');
    expect(entries.map(({ subject, rest }) => [subject, rest])).toEqual([['rds', '/bin/false\r']]);
    expect(ignored[0]?.why).toContain('carriage return');
  });

  it('says nothing of empty lines and comments', () => {
    expect(parse('\n# blacklist tipc\n   \n')).toEqual({ entries: [], ignored: [] });
  });
});
