import { BlockRung } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { MemoryHostFiles, type MemoryNode } from '../host/memory-host-files.ts';
import { blocksOf, computeBlocks } from './blocks.ts';
import { readKmodIndex } from './kmod-index.ts';
import { readModprobeConfig } from './modprobe-config.ts';

const FOLDER = '/lib/modules/6.1.0-test';

const TREE: Record<string, MemoryNode> = {
  [`${FOLDER}/modules.dep`]: [
    'kernel/net/tipc/tipc.ko: kernel/net/ipv4/udp_tunnel.ko',
    'kernel/net/ipv4/udp_tunnel.ko:',
    'kernel/fs/smb/server/ksmbd.ko:',
    'kernel/drivers/net/dummy.ko:',
    'kernel/crypto/crc32_generic.ko:',
  ].join('\n'),
  [`${FOLDER}/modules.builtin`]: 'kernel/crypto/algif_aead.ko\n',
  [`${FOLDER}/modules.builtin.modinfo`]: 'ext4.alias=fs-ext4\0',
  [`${FOLDER}/modules.alias`]: 'alias crc32 crc32_generic\n',
  [`${FOLDER}/modules.softdep`]: 'softdep ksmbd pre: crc32\nsoftdep cifs pre: nowhere\n',
  '/proc/cmdline': 'quiet\n',
};

async function blocks(
  nodes: Record<string, MemoryNode>,
  options: { modulesDisabled?: boolean; noTree?: boolean } = {},
) {
  const files = new MemoryHostFiles({ ...TREE, ...nodes });
  const index = await readKmodIndex(files, '6.1.0-test');
  if (index.kind !== 'ok') throw new Error('the fixture has no index');
  return computeBlocks({
    config: await readModprobeConfig(files, FOLDER),
    index: options.noTree === true ? undefined : index.value,
    modulesDisabled: options.modulesDisabled,
  });
}

async function rungs(nodes: Record<string, MemoryNode>, options?: Parameters<typeof blocks>[1]) {
  return (await blocks(nodes, options)).map(({ kmod, rung, file, line }) => [kmod, rung, `${file}:${line}`]);
}

describe('computeBlocks', () => {
  it('finds nothing where nothing is blocked', async () => {
    expect(await blocks({})).toEqual([]);
  });

  it('gives each blacklist line with its place', async () => {
    expect(await rungs({ '/etc/modprobe.d/a.conf': '\nblacklist algif-aead\n' })).toEqual([
      ['algif_aead', BlockRung.BLOCK_RUNG_BLACKLIST, '/etc/modprobe.d/a.conf:2'],
    ]);
  });

  it.each(['/bin/false', '/usr/bin/true', '/bin/false # CVE', ':', 'exit 1', 'false'])(
    'calls "install X %s" a block',
    async (command) => {
      expect(await rungs({ '/etc/modprobe.d/a.conf': `install tipc ${command}\n` })).toEqual([
        ['tipc', BlockRung.BLOCK_RUNG_INSTALL, '/etc/modprobe.d/a.conf:1'],
      ]);
    },
  );

  it.each([
    '/sbin/modprobe -i tipc',
    '/usr/local/bin/load-tipc',
    '/bin/false; modprobe -i tipc',
    '/bin/false || insmod x',
  ])('does not call "install X %s" a block', async (command) => {
    expect(await blocks({ '/etc/modprobe.d/a.conf': `install tipc ${command}\n` })).toEqual([]);
  });

  it('counts only the first install line in file-name order', async () => {
    expect(
      await blocks({
        '/etc/modprobe.d/zz.conf': 'install tipc /bin/false\n',
        '/usr/lib/modprobe.d/aa.conf': 'install tipc /sbin/modprobe -i tipc\n',
      }),
    ).toEqual([]);
  });

  it('reads the higher of two files of one name', async () => {
    expect(
      await blocks({ '/etc/modprobe.d/a.conf': '# nothing\n', '/lib/modprobe.d/a.conf': 'install tipc /bin/false\n' }),
    ).toEqual([]);
  });

  it('lets a link to /dev/null hide a file', async () => {
    expect(
      await blocks({
        '/etc/modprobe.d/a.conf': { link: '/dev/null' },
        '/dev/null': '',
        '/lib/modprobe.d/a.conf': 'blacklist tipc\n',
      }),
    ).toEqual([]);
  });

  it('ignores files that do not end in .conf', async () => {
    expect(
      await blocks({ '/etc/modprobe.d/a.cfg': 'blacklist tipc\n', '/etc/modprobe.d/.b.conf': 'blacklist tipc\n' }),
    ).toEqual([]);
  });

  it('spreads a pattern over the kmods of the tree', async () => {
    expect(await rungs({ '/etc/modprobe.d/a.conf': 'install *tipc /bin/false\n' })).toEqual([
      ['tipc', BlockRung.BLOCK_RUNG_INSTALL, '/etc/modprobe.d/a.conf:1'],
    ]);
  });

  describe('the hole of kmod issue 446', () => {
    it('makes an install line void when a shipped softdep resolves', async () => {
      const [block] = await blocks({ '/etc/modprobe.d/zz.conf': 'install ksmbd /bin/false\n' });
      expect(block?.rung).toBe(BlockRung.BLOCK_RUNG_INSTALL_INEFFECTIVE);
      expect(block?.detail).toContain('softdep crc32');
    });

    it('opens for any kmod once an admin writes a softdep', async () => {
      expect(await rungs({ '/etc/modprobe.d/a.conf': 'install tipc /bin/false\nsoftdep tipc pre: dummy\n' })).toEqual([
        ['tipc', BlockRung.BLOCK_RUNG_INSTALL_INEFFECTIVE, '/etc/modprobe.d/a.conf:1'],
      ]);
    });

    it.each(['algif_aead', 'fs-ext4', 'udp-tunnel', 'crc32'])(
      'opens for a softdep to %s: built in, an alias of it, a kmod, an alias',
      async (name) => {
        const nodes = { '/etc/modprobe.d/a.conf': `install tipc /bin/false\nsoftdep tipc pre: ${name}\n` };
        expect((await rungs(nodes))[0]?.[1]).toBe(BlockRung.BLOCK_RUNG_INSTALL_INEFFECTIVE);
      },
    );

    it('is closed by an empty softdep in a file that sorts first', async () => {
      expect(await rungs({ '/etc/modprobe.d/00-x.conf': 'softdep ksmbd pre:\ninstall ksmbd /bin/false\n' })).toEqual([
        ['ksmbd', BlockRung.BLOCK_RUNG_INSTALL, '/etc/modprobe.d/00-x.conf:2'],
      ]);
    });

    it('stays open when the same lines sort after modules.softdep', async () => {
      expect(await rungs({ '/etc/modprobe.d/zz-x.conf': 'softdep ksmbd pre:\ninstall ksmbd /bin/false\n' })).toEqual([
        ['ksmbd', BlockRung.BLOCK_RUNG_INSTALL_INEFFECTIVE, '/etc/modprobe.d/zz-x.conf:2'],
      ]);
    });

    it('does not open for a softdep that names nothing that exists, nor for one without pre: and post:', async () => {
      const nodes = {
        '/etc/modprobe.d/a.conf': 'install cifs /bin/false\ninstall tipc /bin/false\nsoftdep tipc dummy\n',
      };
      expect((await rungs(nodes)).map(([kmod, rung]) => [kmod, rung])).toEqual([
        ['cifs', BlockRung.BLOCK_RUNG_INSTALL],
        ['tipc', BlockRung.BLOCK_RUNG_INSTALL],
      ]);
    });

    it('is taken to be open where the tree cannot be read', async () => {
      const nodes = { '/etc/modprobe.d/a.conf': 'install cifs /bin/false\n' };
      expect((await rungs(nodes, { noTree: true }))[0]?.[1]).toBe(BlockRung.BLOCK_RUNG_INSTALL_INEFFECTIVE);
    });
  });

  it('reads the kernel command line', async () => {
    const cmdline =
      'quiet modprobe.blacklist=floppy,algif-aead module_blacklist=tipc,a-b initcall_blacklist=algif_aead_init,other_init\n';
    expect(await rungs({ '/proc/cmdline': cmdline })).toEqual([
      ['algif_aead', BlockRung.BLOCK_RUNG_CMDLINE_BLACKLIST, '/proc/cmdline:0'],
      ['algif_aead', BlockRung.BLOCK_RUNG_CMDLINE_INITCALL, '/proc/cmdline:0'],
      ['floppy', BlockRung.BLOCK_RUNG_CMDLINE_BLACKLIST, '/proc/cmdline:0'],
      ['tipc', BlockRung.BLOCK_RUNG_CMDLINE_KERNEL, '/proc/cmdline:0'],
    ]);
  });

  it('applies modules_disabled to every kmod', async () => {
    const all = await blocks({}, { modulesDisabled: true });
    expect(blocksOf(all, 'anything').map((block) => block.rung)).toEqual([BlockRung.BLOCK_RUNG_MODULES_DISABLED]);
    expect(await blocks({}, { modulesDisabled: false })).toEqual([]);
  });
});
