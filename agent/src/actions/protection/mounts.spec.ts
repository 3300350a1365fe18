import { describe, expect, it } from 'vitest';
import { parseLinks } from './ip-links.ts';
import { mountOf, parseMountinfo } from './mounts.ts';
import { parseSwaps } from './swaps.ts';

const MOUNTS = parseMountinfo(`21 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
22 21 0:21 / /sys rw shared:7 master:2 - sysfs sysfs rw
90 21 254:2 / /var\\040data rw - xfs /dev/vda2 rw
91 21 254:3 / /var rw - ext4 /dev/vda3 rw
92 91 254:4 / /var/lib rw - ext4 /dev/vda4 rw
93 91 254:5 / /var/lib rw - ext4 /dev/vda5 rw
broken line
`);

describe('mountinfo', () => {
  it('reads device, point, type and source, with any number of optional fields', () => {
    expect(MOUNTS).toHaveLength(6);
    expect(MOUNTS[0]).toMatchObject({
      device: { major: 254, minor: 1 },
      point: '/',
      type: 'ext4',
      source: '/dev/vda1',
    });
    expect(MOUNTS[2]?.point).toBe('/var data');
  });

  it.each([
    ['/', '/dev/vda1'],
    ['/etc', '/dev/vda1'],
    ['/variable', '/dev/vda1'],
    ['/var/log', '/dev/vda3'],
    ['/var/lib/modfleet', '/dev/vda5'],
    ['/var data/x', '/dev/vda2'],
  ])('%s lies on %s', (path, source) => {
    expect(mountOf(MOUNTS, path)?.source).toBe(source);
  });
});

describe('swaps', () => {
  it('reads files and partitions', () => {
    expect(parseSwaps('Filename\tType\tSize\n/dev/dm-1 partition 1 0 -2\n/swap\\040file file 2 0 -3\n')).toEqual([
      { path: '/dev/dm-1', type: 'partition' },
      { path: '/swap file', type: 'file' },
    ]);
    expect(parseSwaps('')).toEqual([]);
  });
});

describe('interface kinds', () => {
  it('reads what iproute2 says', () => {
    const json = JSON.stringify([
      { ifname: 'lo' },
      { ifname: 'br0', linkinfo: { info_kind: 'bridge', info_data: {} }, addr_info: [{ local: '10.9.0.2' }, {}] },
      { ifname: 'eth0.9', link: 'eth0', linkinfo: { info_kind: 'vlan' } },
      { ifname: 'gre1', linkinfo: { info_kind: 'gre', info_data: { remote: 'any', link: 'eth1' } } },
    ]);
    expect([...parseLinks(json)]).toEqual([
      ['lo', { kind: undefined, boundTo: undefined, remote: undefined, addresses: [] }],
      ['br0', { kind: 'bridge', boundTo: undefined, remote: undefined, addresses: ['10.9.0.2'] }],
      ['eth0.9', { kind: 'vlan', boundTo: 'eth0', remote: undefined, addresses: [] }],
      ['gre1', { kind: 'gre', boundTo: 'eth1', remote: undefined, addresses: [] }],
    ]);
  });

  it.each(['', '1: lo: <LOOPBACK>', '{}', '[null,1]', '[{"ifname":1,"linkinfo":{"info_kind":2}}]'])(
    'takes nothing from %j',
    (text) => {
      expect(parseLinks(text).size).toBe(0);
    },
  );
});
