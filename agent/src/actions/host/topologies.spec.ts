import { describe, expect, it } from 'vitest';
import type { MemoryNode } from '../../host/memory-host-files.ts';
import { protectedKmods, type Surroundings } from '../testing/asked-hosts.ts';
import { MODULES_6_1, virtioHost, virtualInterface } from '../testing/trees.ts';

const VDA = '/sys/devices/pci0000:00/0000:00:02.0/virtio0/block/vda';
const VIRTUAL = '/sys/devices/virtual/block';

const protectedOn = (tree: Readonly<Record<string, MemoryNode>>, surroundings: Surroundings = {}): Promise<string[]> =>
  protectedKmods(virtioHost(tree), surroundings);

const PLAIN = [
  'virtio_net',
  'net_failover',
  'failover',
  'virtio_blk',
  'virtio_pci',
  'virtio_pci_modern_dev',
  'virtio',
  'virtio_ring',
];

const loaded = (...names: readonly string[]): string =>
  `${names.map((name) => `${name} 16384 1 - Live 0x0\n`).join('')}${MODULES_6_1}`;

const rootOn = (number: string, source: string): string => `22 1 ${number} / / rw - ext4 ${source} rw\n`;

describe('what is protected, exactly', () => {
  it('on a plain virtio disk and card', async () => {
    expect(await protectedOn({})).toEqual(PLAIN);
  });

  it('on a partition', async () => {
    const tree = {
      '/proc/1/mountinfo': rootOn('254:1', '/dev/vda1'),
      '/sys/dev/block/254:1': { link: `${VDA}/vda1` },
      [`${VDA}/vda1/partition`]: '1\n',
    };
    expect(await protectedOn(tree)).toEqual(PLAIN);
  });

  it('on a linear map, which has no uuid and whose kind only the table tells', async () => {
    const tree = {
      '/proc/1/mountinfo': rootOn('253:0', '/dev/mapper/rootlin'),
      '/proc/modules': loaded('dm_mod', 'dm_crypt', 'dm_mirror'),
      '/sys/dev/block/253:0': { link: `${VIRTUAL}/dm-0` },
      '/sys/block/dm-0': { link: `${VIRTUAL}/dm-0` },
      [`${VIRTUAL}/dm-0/dm/uuid`]: '\n',
      [`${VIRTUAL}/dm-0/dm/name`]: 'rootlin\n',
      [`${VIRTUAL}/dm-0/slaves/vda`]: { link: VDA },
    };
    expect(await protectedOn(tree, { tables: 'rootlin: 0 100 linear 254:0 0\n' })).toEqual(['dm_mod', ...PLAIN]);
    // A volume of several kinds stands on each of them.
    const mixed = 'rootlin: 0 100 linear 254:0 0\nrootlin: 100 50 mirror core 1 1024 2 254:0 0 254:0 100\n';
    expect(await protectedOn(tree, { tables: mixed })).toEqual(['dm_mod', 'dm_mirror', ...PLAIN]);
  });

  it('on an encrypted volume over a mirrored array of partitions', async () => {
    const tree = {
      '/proc/1/mountinfo': rootOn('253:0', '/dev/mapper/root'),
      '/proc/modules': loaded('dm_crypt', 'dm_mod', 'raid1', 'md_mod', 'raid0'),
      '/sys/dev/block/253:0': { link: `${VIRTUAL}/dm-0` },
      [`${VIRTUAL}/dm-0/dm/uuid`]: 'CRYPT-LUKS2-abc-root\n',
      [`${VIRTUAL}/dm-0/dm/name`]: 'root\n',
      [`${VIRTUAL}/dm-0/slaves/md0`]: { link: `${VIRTUAL}/md0` },
      [`${VIRTUAL}/md0/md/level`]: 'raid1\n',
      [`${VIRTUAL}/md0/slaves/vda1`]: { link: `${VDA}/vda1` },
      [`${VDA}/vda1/partition`]: '1\n',
    };
    // Without dmsetup, too: the volume's uuid tells.
    expect(await protectedOn(tree)).toEqual(['dm_crypt', 'dm_mod', 'raid1', 'md_mod', ...PLAIN]);
  });

  it('on a multipath volume of two SCSI disks', async () => {
    const disk = (number: number): Record<string, MemoryNode> => {
      const hba = `/sys/devices/pci0000:00/0000:00:0${number}.0`;
      return {
        [`${hba}/driver`]: { link: '/sys/bus/pci/drivers/lpfc' },
        [`${hba}/host${number}/target/0:0:0:0/driver`]: { link: '/sys/bus/scsi/drivers/sd' },
        [`${hba}/host${number}/target/0:0:0:0/block/sd${number}/size`]: '1',
        [`${VIRTUAL}/dm-0/slaves/sd${number}`]: { link: `${hba}/host${number}/target/0:0:0:0/block/sd${number}` },
      };
    };
    const tree = {
      '/proc/1/mountinfo': rootOn('253:0', '/dev/mapper/mpatha'),
      '/proc/modules': loaded('dm_multipath', 'dm_mod', 'sd_mod', 'lpfc'),
      '/sys/dev/block/253:0': { link: `${VIRTUAL}/dm-0` },
      [`${VIRTUAL}/dm-0/dm/uuid`]: 'mpath-3600a\n',
      [`${VIRTUAL}/dm-0/dm/name`]: 'mpatha\n',
      '/sys/bus/scsi/drivers/sd/module': { link: '/sys/module/sd_mod' },
      '/sys/bus/pci/drivers/lpfc/module': { link: '/sys/module/lpfc' },
      ...disk(6),
      ...disk(7),
    };
    const onVirtioNet = ['virtio_net', 'net_failover', 'failover', 'virtio_pci', 'virtio_pci_modern_dev'];
    expect(await protectedOn(tree)).toEqual([
      'dm_multipath',
      'dm_mod',
      'sd_mod',
      'lpfc',
      ...onVirtioNet,
      'virtio',
      'virtio_ring',
    ]);
  });

  it('by swap on a volume of its own', async () => {
    const tree = {
      '/proc/swaps': 'Filename Type Size Used Priority\n/dev/dm-1 partition 1 0 -2\n',
      '/proc/modules': loaded('dm_crypt', 'dm_mod'),
      '/sys/class/block/dm-1': { link: `${VIRTUAL}/dm-1` },
      [`${VIRTUAL}/dm-1/dm/uuid`]: 'CRYPT-PLAIN-swap\n',
    };
    expect(await protectedOn(tree)).toEqual(['dm_crypt', 'dm_mod', ...PLAIN]);
  });
});

const defaultBy = (name: string): Record<string, MemoryNode> => ({
  '/proc/net/route': `Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n${name}\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\n`,
});

const below = (name: string): Record<string, MemoryNode> => ({ [`lower_${name}`]: { link: `/sys/class/net/${name}` } });

describe('what carries the way to the server', () => {
  it('a VLAN over a bond of a card', async () => {
    const tree = {
      ...defaultBy('bond0.9'),
      ...virtualInterface('bond0.9', true, below('bond0')),
      ...virtualInterface('bond0', true, { 'bonding/slaves': 'eth0\n', ...below('eth0') }),
      '/proc/modules': `8021q 40960 0 - Live 0x0\nbonding 221184 0 - Live 0x0\ntls 135168 1 bonding, Live 0x0\n${MODULES_6_1}`,
    };
    const links = [
      { ifname: 'bond0.9', link: 'bond0', linkinfo: { info_kind: 'vlan' } },
      { ifname: 'bond0', linkinfo: { info_kind: 'bond' } },
    ];
    expect(await protectedOn(tree, { links })).toEqual(['8021q', 'bonding', 'tls', ...PLAIN]);
  });

  it('a bridge with the card as its port', async () => {
    const tree = {
      ...defaultBy('br0'),
      ...virtualInterface('br0', true, { 'bridge/stp_state': '0\n', ...below('eth0') }),
      '/proc/modules': `bridge 311296 0 - Live 0x0\nstp 16384 1 bridge, Live 0x0\n${MODULES_6_1}`,
    };
    expect(await protectedOn(tree)).toEqual(['bridge', 'stp', ...PLAIN]);
  });

  it('a tunnel, and the way to its other end', async () => {
    const tree = {
      '/proc/net/route': `Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask
tun1\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF
eth0\t006433C6\t00000000\t0001\t0\t0\t0\t00FFFFFF
`,
      ...virtualInterface('tun1', true),
      '/proc/modules': `ipip 16384 0 - Live 0x0\n${MODULES_6_1}`,
    };
    const links = [{ ifname: 'tun1', linkinfo: { info_kind: 'ipip', info_data: { remote: '198.51.100.7' } } }];
    expect(await protectedOn(tree, { links })).toEqual(['ipip', ...PLAIN]);
  });

  it('a tunnel whose other end nobody sees: any card may carry it', async () => {
    const tree = {
      ...defaultBy('wg0'),
      ...virtualInterface('wg0', true),
      '/proc/modules': `wireguard 98304 0 - Live 0x0\n${MODULES_6_1}`,
    };
    const links = [{ ifname: 'wg0', linkinfo: { info_kind: 'wireguard' } }];
    expect(await protectedOn(tree, { links })).toEqual(['wireguard', ...PLAIN]);
  });
});
