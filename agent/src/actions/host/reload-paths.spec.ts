import { describe, expect, it } from 'vitest';
import { NoExec } from '../../exec/node-exec.ts';
import type { MemoryNode } from '../../host/memory-host-files.ts';
import { readKmodIndex } from '../../kmod/kmod-index.ts';
import { readModprobeConfig } from '../../kmod/modprobe-config.ts';
import { virtioHost } from '../testing/trees.ts';
import { HostView } from './host-view.ts';
import { PathsBack } from './paths-back.ts';
import { reloadPathsOf } from './reload-paths.ts';

const RELEASE = '6.1.0-56-cloud-amd64';

async function paths(kmod: string, changes: Readonly<Record<string, MemoryNode>> = {}): Promise<string[]> {
  const files = virtioHost(changes);
  const index = await readKmodIndex(files, RELEASE);
  if (index.kind !== 'ok') throw new Error('the tree has no index');
  const found = reloadPathsOf(kmod, {
    index: index.value,
    config: await readModprobeConfig(files, index.value.folder),
    modulesLoad: [{ name: 'tun', file: '/etc/modules-load.d/vpn.conf', line: 3 }],
    devices: [{ bus: 'virtio', address: 'virtio1', modalias: 'virtio:d00000001v00001AF4' }],
    modulesDisabled: false,
    unseen: [],
  });
  return found.map((path) => `${path.kind} ${path.value}`);
}

describe('what can bring an unloaded kmod back', () => {
  it('its aliases, its devices, lists at boot, and who needs or wants it', async () => {
    expect(await paths('tun')).toEqual(['modules_load /etc/modules-load.d/vpn.conf:3', 'alias devname:net/tun']);
    expect(await paths('virtio_net')).toEqual([
      'device virtio virtio1 (virtio:d00000001v00001AF4)',
      'alias virtio:d00000001v*',
    ]);
    expect(await paths('base')).toEqual(['dependant dependent', 'softdep tun']);
    expect(await paths('dependent')).toEqual([]);
  });

  it.each(['tcp_bbr', 'dm_crypt', 'dm_log_userspace', 'ip_vs_rr', 'ip_vs_pe_sip', 'nls_utf8', 'nfsv3'])(
    'kernel requests by name: %s',
    async (kmod) => {
      expect(await paths(kmod)).toEqual([`alias ${kmod} (the kernel asks for this name)`]);
    },
  );

  it.each(['ebtable_filter', 'arptable_filter', 'nvme_tcp', 'br_netfilter', 'target_core_iblock', 'mlx4_en'])(
    'kernel requests by name: %s, too',
    async (kmod) => {
      expect(await paths(kmod)).toEqual([`alias ${kmod} (the kernel asks for this name)`]);
    },
  );

  it.each(['dm_mod', 'dm_bufio', 'nvme_core', 'target_core_mod', 'nfsv', 'tcp', 'br_netfilter2', 'rds'])(
    'no kernel requests by name: %s',
    async (kmod) => {
      expect(await paths(kmod)).toEqual([]);
    },
  );

  it('soft dependencies by an alias, where no kmod has that name', async () => {
    const tree = `/lib/modules/${RELEASE}`;
    const changes = {
      [`${tree}/modules.alias`]: 'alias crc32c crc32c_intel\nalias crc32c crc32c_generic\n',
      [`${tree}/modules.softdep`]: 'softdep btrfs pre: crc32c\n',
    };
    for (const kmod of ['crc32c_intel', 'crc32c_generic'])
      expect(await paths(kmod, changes)).toEqual(['alias crc32c', 'softdep btrfs']);
    const named = { ...changes, [`${tree}/modules.dep`]: 'kernel/lib/crc32c.ko:\n' };
    expect(await paths('crc32c_intel', named)).toEqual(['alias crc32c']);
    expect(await paths('crc32c', named)).toEqual(['softdep btrfs']);
  });

  it('closes with a blacklist line only what a blacklist line closes', async () => {
    expect(await paths('tun', { '/etc/modprobe.d/x.conf': 'blacklist tun\n' })).toEqual([]);
    expect(await paths('base', { '/etc/modprobe.d/x.conf': 'blacklist base\n' })).toEqual([
      'dependant dependent',
      'softdep tun',
    ]);
    expect(await paths('tun', { '/proc/cmdline': 'modprobe.blacklist=tun' })).toEqual([]);
  });

  it('closes all with an install line that loads nothing, unless a soft dependency voids it', async () => {
    expect(await paths('base', { '/etc/modprobe.d/x.conf': 'install base /bin/false\n' })).toEqual([]);
    expect(await paths('tun', { '/etc/modprobe.d/x.conf': 'install tun /bin/false\n' })).toHaveLength(2);
    expect(await paths('tun', { '/etc/modprobe.d/00-x.conf': 'softdep tun pre:\ninstall tun /bin/false\n' })).toEqual(
      [],
    );
    expect(await paths('base', { '/etc/modprobe.d/x.conf': 'install base /sbin/modprobe -i base\n' })).toHaveLength(2);
  });

  it('closes all on the kernel command line', async () => {
    expect(await paths('base', { '/proc/cmdline': 'module_blacklist=base' })).toEqual([]);
  });

  it('shows a few of many', async () => {
    const alias = Array.from({ length: 20 }, (_, index) => `alias pci:v0000${index}* tun\n`).join('');
    const shown = (await paths('tun', { [`/lib/modules/${RELEASE}/modules.alias`]: alias })).filter((path) =>
      path.startsWith('alias'),
    );
    expect(shown).toHaveLength(9);
    expect(shown.at(-1)).toBe('alias and 12 more');
  });
});

describe('what could not be read', () => {
  const tree = `/lib/modules/${RELEASE}`;
  const back = async (kmod: string, changes: Readonly<Record<string, MemoryNode>>): Promise<string[]> => {
    const sources = { files: virtioHost(changes), exec: new NoExec(), ownPaths: [], serverRoute: () => undefined };
    return (await new PathsBack(new HostView(sources)).of(kmod)).map((path) => `${path.kind} ${path.value}`);
  };

  it.each<[string, string, Record<string, MemoryNode>]>([
    ['the index', RELEASE, { [`${tree}/modules.alias`]: { errno: 'EIO' } }],
    ['the index, gone', RELEASE, { [`${tree}/modules.dep`]: { errno: 'ENOENT' } }],
    ['a file of modprobe.d', 'x.conf', { '/etc/modprobe.d/x.conf': { errno: 'EACCES' } }],
    ['a list to load at boot', 'vpn.conf', { '/etc/modules-load.d/vpn.conf': { errno: 'EIO' } }],
    ['the kernel command line', '/proc/cmdline', { '/proc/cmdline': { errno: 'EIO' } }],
    ['devices', '/sys/bus/pci/devices', { '/sys/bus/pci/devices': { errno: 'EIO' } }],
  ])('may be one more way, and says why: %s', async (_, why, changes) => {
    const unknown = (await back('dependent', changes)).filter((path) => path.startsWith('unknown '));
    expect(unknown.length).toBeGreaterThan(0);
    expect(unknown.join()).toContain(why.split('/').at(-1));
  });

  it('comes after what was seen', async () => {
    const closed = { '/etc/modprobe.d/x.conf': { errno: 'EACCES' } };
    expect(await back('base', closed)).toEqual([
      'dependant dependent',
      'softdep tun',
      'unknown /etc/modprobe.d/x.conf may not be read by this user (EACCES)',
    ]);
  });

  it('does not matter where the kernel refuses everybody', async () => {
    const closed = { [`${tree}/modules.alias`]: { errno: 'EIO' } };
    expect(await back('dummy', { ...closed, '/proc/cmdline': 'module_blacklist=dummy\n' })).toEqual([]);
    expect(await back('dummy', { ...closed, '/proc/sys/kernel/modules_disabled': '1\n' })).toEqual([]);
  });

  it('may outdo a block', async () => {
    const block = { '/etc/modprobe.d/x.conf': 'install base /bin/false\n' };
    expect(await back('base', block)).toEqual([]);
    expect(await back('base', { ...block, '/etc/modprobe.d/a.conf': { errno: 'EIO' } })).toEqual([
      'unknown /etc/modprobe.d/a.conf cannot be read (EIO)',
    ]);
  });

  it('is nothing where all was read', async () => {
    expect(await back('dependent', {})).toEqual([]);
  });
});
