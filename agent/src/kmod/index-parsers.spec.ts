import { describe, expect, it } from 'vitest';
import {
  foldAlias,
  parseBuiltinModinfo,
  parseModulesAlias,
  parseModulesBuiltin,
  parseModulesDep,
  parseModulesSoftdep,
  parseSoftdepArguments,
} from './index-parsers.ts';

describe('depmod index files', () => {
  it('reads modules.dep: names from files, packed or not, dependencies in order', () => {
    const files = parseModulesDep(
      [
        'kernel/net/snd-x.ko.xz: kernel/b.ko.zst kernel/a-b.ko.gz',
        'kernel/b.ko.zst:',
        'updates/b.ko:',
        'nonsense',
      ].join('\n'),
    );
    expect([...files.values()]).toEqual([
      { name: 'snd_x', path: 'kernel/net/snd-x.ko.xz', depends: ['b', 'a_b'] },
      { name: 'b', path: 'kernel/b.ko.zst', depends: [] },
    ]);
  });

  it('reads modules.builtin', () => {
    expect([...parseModulesBuiltin('kernel/fs/ext4/ext4.ko\nkernel/crypto/algif-aead.ko\n')]).toEqual([
      ['ext4', 'kernel/fs/ext4/ext4.ko'],
      ['algif_aead', 'kernel/crypto/algif-aead.ko'],
    ]);
  });

  it('splits modules.builtin.modinfo at NUL only: values hold newlines, dots and equal signs', () => {
    const infos = parseBuiltinModinfo(
      Buffer.from('ext4.license=GPL\0ext4.description=two\nlines a.b=c\0a-b.alias=x\0broken\0=y\0'),
    );
    expect([...infos]).toEqual([
      [
        'ext4',
        [
          ['license', 'GPL'],
          ['description', 'two\nlines a.b=c'],
        ],
      ],
      ['a_b', [['alias', 'x']]],
    ]);
  });

  it('reads modules.alias, folding dashes outside of brackets', () => {
    expect(parseModulesAlias('# comment\nalias net-pf-10 ipv6\nalias pci:[0-9a-f]-x a-b\nalias cut\n')).toEqual([
      { pattern: 'net_pf_10', kmod: 'ipv6' },
      { pattern: 'pci:[0-9a-f]_x', kmod: 'a_b' },
    ]);
  });

  it('reads modules.softdep, first line of a kmod first', () => {
    const softdeps = parseModulesSoftdep(
      'softdep a-b pre: c-d e post: f\nsoftdep a_b pre: other\nsoftdep empty pre:\n',
    );
    expect([...softdeps]).toEqual([
      ['a_b', { pre: ['c_d', 'e'], post: ['f'] }],
      ['empty', { pre: [], post: [] }],
    ]);
  });

  it('takes words before pre: and post: as neither', () => {
    expect(parseSoftdepArguments('gcm')).toEqual({ pre: [], post: [] });
    expect(parseSoftdepArguments('x post: a pre: b')).toEqual({ pre: ['b'], post: ['a'] });
  });

  it('leaves an open bracket and all behind it', () => {
    expect(foldAlias('a-b')).toBe('a_b');
    expect(foldAlias('a-[0-9]-b')).toBe('a_[0-9]_b');
  });
});
