import { describe, expect, it } from 'vitest';
import { cpioArchive, cpioEntries, symlink } from './cpio.ts';

const file = (content: string, mode = 0o644) => ({ content: Buffer.from(content), mode });

/** Reads a newc archive back, as the kernel would. */
function members(archive: Buffer): { name: string; mode: string; content: string }[] {
  const found: { name: string; mode: string; content: string }[] = [];
  const aligned = (offset: number): number => (offset + 3) & ~3;
  for (let at = 0; at < archive.length;) {
    expect(archive.toString('latin1', at, at + 6)).toBe('070701');
    const field = (index: number): number =>
      parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const nameEnd = at + 110 + field(11);
    const start = aligned(nameEnd);
    const content = archive.toString('utf8', start, start + field(6));
    found.push({ name: archive.toString('utf8', at + 110, nameEnd - 1), mode: field(1).toString(8), content });
    at = aligned(start + field(6));
  }
  return found;
}

describe('cpioEntries', () => {
  it('puts each folder once, before what it holds', () => {
    const entries = cpioEntries(
      new Map([
        ['seed/etc/a', file('1')],
        ['seed/etc/b', file('2')],
      ]),
    );
    expect(entries.map((entry) => entry.path)).toEqual(['seed', 'seed/etc', 'seed/etc/a', 'seed/etc/b']);
  });
});

describe('cpioArchive', () => {
  it('holds names, modes and contents of every length, and ends with the trailer', () => {
    const archive = cpioArchive(
      cpioEntries(
        new Map([
          ['init', file('#!/bin/sh', 0o755)],
          ['a/empty', file('')],
          ['a/odd', file('12345')],
          ['l', symlink('a/odd')],
        ]),
      ),
    );
    expect(archive.length % 4).toBe(0);
    expect(members(archive)).toEqual([
      { name: 'init', mode: '100755', content: '#!/bin/sh' },
      { name: 'a', mode: '40755', content: '' },
      { name: 'a/empty', mode: '100644', content: '' },
      { name: 'a/odd', mode: '100644', content: '12345' },
      { name: 'l', mode: '120777', content: 'a/odd' },
      { name: 'TRAILER!!!', mode: '0', content: '' },
    ]);
  });
});
