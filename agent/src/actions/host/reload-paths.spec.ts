import { describe, expect, it } from 'vitest';
import { readKmodIndex } from '../../kmod/kmod-index.ts';
import { readModprobeConfig } from '../../kmod/modprobe-config.ts';
import { virtioHost } from '../testing/trees.ts';
import { reloadPathsOf } from './reload-paths.ts';

const RELEASE = '6.1.0-56-cloud-amd64';

async function paths(kmod: string, changes: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const files = virtioHost(changes);
  const index = await readKmodIndex(files, RELEASE);
  if (index.kind !== 'ok') throw new Error('the tree has no index');
  const found = reloadPathsOf(kmod, {
    index: index.value,
    config: await readModprobeConfig(files, index.value.folder),
    modulesLoad: [{ name: 'tun', file: '/etc/modules-load.d/vpn.conf', line: 3 }],
    devices: [{ bus: 'virtio', address: 'virtio1', modalias: 'virtio:d00000001v00001AF4' }],
    modulesDisabled: false,
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

  it('kernel requests by name', async () => {
    expect(await paths('tcp_bbr')).toEqual(['alias tcp_bbr (the kernel asks for this name)']);
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
