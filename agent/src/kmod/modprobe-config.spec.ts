import { describe, expect, it } from 'vitest';
import { ModprobeFilesParser } from './modprobe-config.ts';

const A = { path: '/etc/modprobe.d/a.conf', text: 'blacklist floppy\n' };
const B = { path: '/etc/modprobe.d/b.conf', text: 'options loop max_loop=8\n' };

describe('ModprobeFilesParser', () => {
  it('gives the same for what says the same, in the order that is asked', () => {
    const parser = new ModprobeFilesParser();
    const [a, b] = parser.parse([A, B]);
    expect(a?.entries).toMatchObject([{ keyword: 'blacklist', subject: 'floppy', line: 1 }]);
    expect(parser.parse([{ ...B }, { ...A }])).toEqual([b, a]);
    expect(parser.parse([{ ...A }])[0]).toBe(a);
  });

  it('reads anew what says something else, also under the same name', () => {
    const parser = new ModprobeFilesParser();
    parser.parse([A]);
    const changed = { ...A, text: 'blacklist loop\n' };
    expect(parser.parse([changed])[0]?.entries).toMatchObject([{ subject: 'loop' }]);
    expect(parser.parse([{ ...A, path: '/run/modprobe.d/a.conf' }])[0]?.entries).toMatchObject([
      { subject: 'floppy', file: '/run/modprobe.d/a.conf' },
    ]);
  });
});
