import type { TreeNode } from './kernel/tree.ts';

/**
 * What a verdict reads of a machine, beyond what its facets do: a root file system on the disk, no swap, one network card, nobody's programs. The captured
 * host had all kinds of kmods loaded, and their devices: those of a machine that has just booted stay.
 */
export function standingMachine(nodes: Map<string, TreeNode>, release: string): void {
  for (const path of nodes.keys()) if (OF_LOADED_KMODS.test(path)) nodes.delete(path);
  for (const [path, node] of MACHINE) nodes.set(path, node);
  for (const folder of ['/lib/modules', '/usr/lib/modules']) {
    const dep = nodes.get(`${folder}/${release}/modules.dep`);
    if (typeof dep !== 'string') continue;
    for (const line of dep.split('\n')) {
      const file = line.split(':', 1)[0] ?? '';
      // It is there; nobody opens it.
      if (file !== '') nodes.set(`${folder}/${release}/${file}`, '');
    }
  }
}

const OF_LOADED_KMODS =
  /^\/sys\/(?:block\/(?!vda$)|class\/net\/(?!enp0s3$|lo$)|devices\/virtual\/(?:block|net\/(?!lo(?:\/|$))))/;

const DISK = '/sys/devices/pci0000:00/0000:00:02.0/virtio0/block/vda';
const CARD = '/sys/devices/pci0000:00/0000:00:03.0/virtio1/net/enp0s3';

const MACHINE: readonly (readonly [path: string, node: TreeNode])[] = [
  [
    '/proc/1/mountinfo',
    [
      '21 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw',
      '22 21 0:20 / /proc rw,nosuid shared:2 - proc proc rw',
      '23 21 0:21 / /sys rw,nosuid shared:3 - sysfs sysfs rw',
      '24 21 0:5 / /dev rw,nosuid shared:4 - devtmpfs udev rw',
      '25 21 0:22 / /run rw,nosuid shared:5 - tmpfs tmpfs rw',
      '',
    ].join('\n'),
  ],
  ['/proc/swaps', 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n'],
  [
    '/proc/net/route',
    [
      'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
      'enp0s3\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0',
      'enp0s3\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
      '',
    ].join('\n'),
  ],
  ['/proc/1/comm', 'systemd\n'],
  ['/proc/1/cmdline', '/sbin/init\0'],
  ['/proc/devices', 'Character devices:\n  1 mem\n\nBlock devices:\n254 virtblk\n'],
  [`${DISK}/dev`, '254:0\n'],
  [`${DISK}/size`, '41943040\n'],
  [`${DISK}/vda1/dev`, '254:1\n'],
  [`${DISK}/vda1/partition`, '1\n'],
  [`${DISK}/vda1/size`, '41940992\n'],
  ['/sys/dev/block/254:0', { link: '../../devices/pci0000:00/0000:00:02.0/virtio0/block/vda' }],
  ['/sys/dev/block/254:1', { link: '../../devices/pci0000:00/0000:00:02.0/virtio0/block/vda/vda1' }],
  [`${CARD}/device`, { link: '../../../virtio1' }],
  [`${CARD}/ifindex`, '2\n'],
  [`${CARD}/iflink`, '2\n'],
  [`${CARD}/type`, '1\n'],
  [`${CARD}/operstate`, 'up\n'],
  [`${CARD}/carrier`, '1\n'],
  [`${CARD}/flags`, '0x1003\n'],
  ['/sys/devices/virtual/net/lo/ifindex', '1\n'],
  ['/sys/devices/virtual/net/lo/iflink', '1\n'],
  ['/sys/devices/virtual/net/lo/type', '772\n'],
  ['/sys/devices/virtual/net/lo/flags', '0x9\n'],
];
