import { type MemoryNode, MemoryHostFiles } from '../../host/memory-host-files.ts';
import { kmodFile } from './kmod-file.ts';

const RELEASE = '6.1.0-56-cloud-amd64';
const TREE = `/lib/modules/${RELEASE}`;
const PCI = '/sys/devices/pci0000:00';

/** Lines as a booted Debian 6.1 cloud kernel has them under QEMU, with `dummy` and `loop` beside. */
export const MODULES_6_1 = `dummy 16384 0 - Live 0x0000000000000000
loop 40960 0 - Live 0x0000000000000000
virtio_net 73728 0 - Live 0x0000000000000000
net_failover 24576 1 virtio_net, Live 0x0000000000000000
failover 16384 1 net_failover, Live 0x0000000000000000
virtio_blk 28672 1 - Live 0x0000000000000000
virtio_pci 24576 0 - Live 0x0000000000000000
virtio_pci_modern_dev 20480 1 virtio_pci, Live 0x0000000000000000
virtio 20480 3 virtio_pci,virtio_blk,virtio_net, Live 0x0000000000000000
virtio_ring 49152 4 virtio_pci,virtio_blk,virtio,virtio_net, Live 0x0000000000000000
`;

/** Built for this kernel, not signed. */
const FILE = kmodFile([`vermagic=${RELEASE} SMP preempt mod_unload modversions `]);

const INDEX = {
  [`${TREE}/modules.dep`]: `kernel/drivers/net/dummy.ko:
kernel/drivers/block/loop.ko:
kernel/drivers/net/tun.ko:
kernel/drivers/net/virtio_net.ko: kernel/net/core/net_failover.ko kernel/net/core/failover.ko
extra/dependent.ko: extra/base.ko
extra/base.ko:
`,
  [`${TREE}/modules.builtin`]: 'kernel/fs/ext4/ext4.ko\nkernel/net/ipv6/ipv6.ko\n',
  [`${TREE}/modules.alias`]: `alias rtnl-link-dummy dummy
alias fs-ext4 ext4
alias devname:net/tun tun
alias virtio:d00000001v* virtio_net
alias block-major-7-* loop
alias tcp-ulp-tls tls
`,
  [`${TREE}/modules.softdep`]: 'softdep tun pre: base\n',
  ...Object.fromEntries(
    ['drivers/net/dummy', 'drivers/block/loop', 'drivers/net/tun', 'drivers/net/virtio_net'].map((file) => [
      `${TREE}/kernel/${file}.ko`,
      FILE,
    ]),
  ),
  [`${TREE}/extra/dependent.ko`]: FILE,
  [`${TREE}/extra/base.ko`]: FILE,
};

/**
 * A host with its root on a virtio disk and one virtio NIC: ext4 is built in; virtio_pci has a reference count of 0 under the mounted root, as
 * real ones have (kernel-facts 3).
 */
export function virtioHost(changes: Readonly<Record<string, MemoryNode>> = {}): MemoryHostFiles {
  return new MemoryHostFiles({
    ...INDEX,
    '/proc/sys/kernel/osrelease': `${RELEASE}\n`,
    '/proc/sys/kernel/tainted': '0\n',
    '/proc/sys/kernel/modules_disabled': '0\n',
    '/proc/version': 'Linux',
    '/proc/cmdline': 'root=/dev/vda\n',
    '/proc/modules': MODULES_6_1,
    '/proc/self/status': 'Name:\tnode\nCapEff:\t000001ffffffffff\n',
    '/proc/self/ns/net': { link: 'net:[4026531840]' },
    '/proc/1/mountinfo': `22 1 254:0 / / rw,noatime - ext4 /dev/vda rw
23 22 0:5 / /proc rw - proc proc rw
24 22 254:16 / /data rw - ext4 /dev/vdb rw
`,
    '/proc/net/route': `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
`,
    '/sys/dev/block/254:0': { link: `../../devices/pci0000:00/0000:00:02.0/virtio0/block/vda` },
    '/sys/class/block/vda': { link: `${PCI}/0000:00:02.0/virtio0/block/vda` },
    '/sys/block/vda': { link: `${PCI}/0000:00:02.0/virtio0/block/vda` },
    [`${PCI}/0000:00:02.0/virtio0/block/vda/size`]: '100',
    [`${PCI}/0000:00:02.0/virtio0/driver`]: { link: '/sys/bus/virtio/drivers/virtio_blk' },
    [`${PCI}/0000:00:02.0/driver`]: { link: '/sys/bus/pci/drivers/virtio-pci' },
    '/sys/class/net/lo/flags': '0x9\n',
    '/sys/class/net/eth0': { link: `${PCI}/0000:00:03.0/virtio1/net/eth0` },
    [`${PCI}/0000:00:03.0/virtio1/net/eth0/flags`]: '0x1003\n',
    [`${PCI}/0000:00:03.0/virtio1/net/eth0/device`]: { link: `${PCI}/0000:00:03.0/virtio1` },
    [`${PCI}/0000:00:03.0/virtio1/driver`]: { link: '/sys/bus/virtio/drivers/virtio_net' },
    [`${PCI}/0000:00:03.0/driver`]: { link: '/sys/bus/pci/drivers/virtio-pci' },
    '/sys/bus/virtio/drivers/virtio_blk/module': { link: '/sys/module/virtio_blk' },
    '/sys/bus/virtio/drivers/virtio_net/module': { link: '/sys/module/virtio_net' },
    '/sys/bus/pci/drivers/virtio-pci/module': { link: '/sys/module/virtio_pci' },
    ...changes,
  });
}

/** An interface without a device: `kind` as sysfs shows it, or nothing. */
export function virtualInterface(
  name: string,
  up: boolean,
  extra: Readonly<Record<string, MemoryNode>> = {},
): Record<string, MemoryNode> {
  const folder = `/sys/devices/virtual/net/${name}`;
  return {
    [`/sys/class/net/${name}`]: { link: folder },
    [`${folder}/flags`]: up ? '0x1003\n' : '0x1002\n',
    ...Object.fromEntries(Object.entries(extra).map(([path, node]) => [`${folder}/${path}`, node])),
  };
}
