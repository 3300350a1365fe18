import { describe, expect, it } from 'vitest';
import type { MemoryNode } from '../../host/memory-host-files.ts';
import type { Question } from '../findings/facts.ts';
import { type Surroundings, verdictOf } from '../testing/asked-hosts.ts';
import { MODULES_6_1, virtioHost, virtualInterface } from '../testing/trees.ts';

type Tree = Readonly<Record<string, MemoryNode>>;

const PCI = '/sys/devices/pci0000:00';

/** A second card, eth1, for 10.1.0.0/24; its driver is ixgbe. */
const TWO_CARDS: Tree = {
  '/sys/class/net/eth1': { link: `${PCI}/0000:00:09.0/net/eth1` },
  [`${PCI}/0000:00:09.0/net/eth1/flags`]: '0x1003\n',
  [`${PCI}/0000:00:09.0/net/eth1/device`]: { link: `${PCI}/0000:00:09.0` },
  [`${PCI}/0000:00:09.0/driver`]: { link: '/sys/bus/pci/drivers/ixgbe' },
  '/sys/bus/pci/drivers/ixgbe/module': { link: '/sys/module/ixgbe' },
  '/proc/modules': `ixgbe 16384 0 - Live 0x0\n${MODULES_6_1}`,
  '/proc/net/route': `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask
eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000
eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF
eth1\t0000010A\t00000000\t0001\t0\t0\t0\t00FFFFFF
`,
};

const root = (type: string, source: string, options: string, number = '0:22'): Tree => ({
  '/proc/1/mountinfo': `22 1 ${number} / / rw - ${type} ${source} ${options}\n`,
});

/** Without policy routing, as `ip rule` shows it. */
const WITH_IP: Surroundings = { links: [], rules: [{ priority: 32_766, src: 'all', table: 'main' }] };

async function why(tree: Tree, question: Partial<Question>, surroundings: Surroundings = WITH_IP): Promise<string> {
  const verdict = await verdictOf(virtioHost({ ...TWO_CARDS, ...tree }), question, surroundings);
  return (
    verdict.findings.find((finding) => finding.refuses && finding.code === 'protected')?.message ?? verdict.decidedBy
  );
}

const inWindow = (kmod: string): Partial<Question> => ({ kmod, confirmWindowSeconds: 120, overrides: ['route'] });

describe('a root file system on another machine', () => {
  it('stands on the card that leads there, whatever window and override are asked for', async () => {
    const nfs = root('nfs4', '10.1.0.5:/root', 'rw,vers=4.2,addr=10.1.0.5');
    expect(await why(nfs, inWindow('ixgbe'))).toContain('ixgbe carries / (nfs4 on 10.1.0.5:/root)');
    // The other card only carries the agent.
    expect(await why(nfs, inWindow('virtio_net'))).not.toContain('nfs4');
  });

  it('stands on every card where policies choose the route, or nobody can tell whether they do', async () => {
    const nfs = root('nfs4', '10.1.0.5:/root', 'rw,vers=4.2,addr=10.1.0.5');
    const policies = { links: [], rules: [{ priority: 1000, fwmark: '0x1', table: '1000' }] };
    expect(await why(nfs, inWindow('virtio_net'), policies)).toContain('nfs4');
    expect(await why(nfs, inWindow('virtio_net'), {})).toContain('nfs4');
  });

  it.each([
    ['ceph', 'mon:/', 'rw,name=admin'],
    ['cifs', '//files/root', 'rw,vers=3.1.1'],
    ['fuse.sshfs', 'files:/', 'rw,user_id=0'],
  ])('stands on every card that is up where %s does not name its server', async (type, source, options) => {
    expect(await why(root(type, source, options), inWindow('ixgbe'))).toContain(`ixgbe carries / (${type}`);
    expect(await why(root(type, source, options), inWindow('virtio_net'))).toContain(`virtio_net carries / (${type}`);
  });

  it('is not the same as a share that comes back', async () => {
    const home: Tree = {
      '/proc/1/mountinfo': `22 1 254:0 / / rw,noatime - ext4 /dev/vda rw
30 22 0:44 / /home rw - nfs4 10.1.0.5:/home rw,vers=4.2,addr=10.1.0.5
`,
    };
    expect(await why(home, inWindow('ixgbe'))).not.toContain('nfs4');
  });
});

describe('a disk on another machine', () => {
  const SESSION = '/sys/devices/platform/host2/session1';
  const SDA = `${SESSION}/target2:0:0/2:0:0:0/block/sda`;
  const ISCSI: Tree = {
    ...root('ext4', '/dev/sda', 'rw', '8:1'),
    '/proc/modules': `ixgbe 16384 0 - Live 0x0\niscsi_tcp 16384 0 - Live 0x0\n${MODULES_6_1}`,
    '/sys/dev/block/8:1': { link: SDA },
    [`${SDA}/size`]: '1',
    '/sys/devices/platform/host2/scsi_host/host2/proc_name': 'iscsi_tcp\n',
    '/sys/class/iscsi_connection/connection1:0/address': '10.1.0.5\n',
    '/sys/class/iscsi_connection/connection10:0/address': '10.0.2.9\n',
  };

  it('by iSCSI', async () => {
    expect(await why(ISCSI, inWindow('ixgbe'))).toContain('ixgbe carries / (ext4 on /dev/sda)');
    expect(await why(ISCSI, inWindow('virtio_net'))).not.toContain('/dev/sda');
    // Its host has no device, and so no driver link.
    expect(await why(ISCSI, { kmod: 'iscsi_tcp' })).toContain('iscsi_tcp carries /');
  });

  it('by iSCSI, where the connection does not say where it leads', async () => {
    const unreadable = { ...ISCSI, '/sys/class/iscsi_connection/connection1:0/address': { errno: 'EIO' } };
    expect(await why(unreadable, inWindow('virtio_net'))).toContain('/dev/sda');
  });

  const SUBSYSTEM = '/sys/devices/virtual/nvme-subsystem/nvme-subsys0';
  const CONTROLLER = '/sys/devices/virtual/nvme-fabrics/ctl/nvme0';
  const NVME: Tree = {
    ...root('ext4', '/dev/nvme0n1', 'rw', '259:1'),
    '/proc/modules': `ixgbe 16384 0 - Live 0x0
nvme_tcp 45056 0 - Live 0x0
nvme_fabrics 32768 1 nvme_tcp, Live 0x0
nvme_core 180224 4 nvme_tcp,nvme_fabrics, Live 0x0
${MODULES_6_1}`,
    '/sys/dev/block/259:1': { link: `${SUBSYSTEM}/nvme0n1` },
    [`${SUBSYSTEM}/nvme0n1/size`]: '1',
    [`${SUBSYSTEM}/nvme0`]: { link: CONTROLLER },
    [`${CONTROLLER}/transport`]: 'tcp\n',
    [`${CONTROLLER}/address`]: 'traddr=10.1.0.5,trsvcid=4420,src_addr=10.1.0.2\n',
  };

  it.each(['nvme_tcp', 'nvme_fabrics', 'nvme_core', 'ixgbe'])('by NVMe over TCP: %s', async (kmod) => {
    expect(await why(NVME, inWindow(kmod))).toContain(`${kmod} carries / (ext4 on /dev/nvme0n1)`);
  });

  it('by NVMe over Fibre Channel: any adapter', async () => {
    const tree = {
      ...NVME,
      '/proc/modules': `lpfc 16384 0 - Live 0x0\n${MODULES_6_1}`,
      [`${CONTROLLER}/transport`]: 'fc\n',
      '/sys/class/fc_host/host5': { link: `${PCI}/0000:00:0a.0/host5/fc_host/host5` },
      [`${PCI}/0000:00:0a.0/host5/fc_host/host5/port_name`]: '0x1\n',
      [`${PCI}/0000:00:0a.0/driver`]: { link: '/sys/bus/pci/drivers/lpfc' },
      '/sys/bus/pci/drivers/lpfc/module': { link: '/sys/module/lpfc' },
    };
    expect(await why(tree, { kmod: 'lpfc' })).toContain('lpfc carries /');
  });

  it('in use by what has no mount: a volume of a pool', async () => {
    const tree: Tree = {
      ...ISCSI,
      '/proc/1/mountinfo': '22 1 254:0 / / rw,noatime - ext4 /dev/vda rw\n30 22 0:60 / /data rw - zfs tank/data rw\n',
      '/proc/modules': `ixgbe 16384 0 - Live 0x0\nsd_mod 16384 1 - Live 0x0\n${MODULES_6_1}`,
      '/sys/block/sda': { link: SDA },
      [`${SESSION}/target2:0:0/2:0:0:0/driver`]: { link: '/sys/bus/scsi/drivers/sd' },
      '/sys/bus/scsi/drivers/sd/module': { link: '/sys/module/sd_mod' },
    };
    expect(await why(tree, inWindow('ixgbe'))).toContain('ixgbe carries the disk sda, which is in use');
  });

  it('behind a file on a loop device', async () => {
    const tree: Tree = {
      '/proc/1/mountinfo': `22 1 7:0 / / rw - squashfs /dev/loop0 rw
30 22 0:44 / /run/live rw - nfs4 10.1.0.5:/live rw,vers=4.2,addr=10.1.0.5
`,
      '/sys/dev/block/7:0': { link: '/sys/devices/virtual/block/loop0' },
      '/sys/devices/virtual/block/loop0/loop/backing_file': '/run/live/root.squashfs\n',
    };
    expect(await why(tree, inWindow('ixgbe'))).toContain('ixgbe carries / (squashfs on /dev/loop0)');
  });
});

describe('the way to the server', () => {
  it('leads over the interface that has its address, and over what its route says', async () => {
    const tree = {
      ...virtualInterface('wg0', true),
      '/proc/modules': `wireguard 98304 0 - Live 0x0\n${MODULES_6_1}`,
    };
    const surroundings: Surroundings = {
      links: [{ ifname: 'wg0', linkinfo: { info_kind: 'wireguard' }, addr_info: [{ local: '10.9.0.2' }] }],
      serverRoute: { remoteAddress: '203.0.113.9', localAddress: '10.9.0.2' },
    };
    expect(await why(tree, { kmod: 'wireguard', confirmWindowSeconds: 120 }, surroundings)).toContain(
      "agent's connection",
    );
    expect(await why(tree, { kmod: 'virtio_net' }, surroundings)).toContain("agent's connection");
  });

  it('is not set aside where no revert makes an interface of it again', async () => {
    const tree = {
      ...virtualInterface('wg0', true),
      ...virtualInterface('gre0.9', true, { lower_gre1: { link: '/sys/class/net/gre1' } }),
      ...virtualInterface('gre1', true),
      '/proc/modules': `wireguard 98304 0 - Live 0x0\nip_gre 16384 0 - Live 0x0\n8021q 16384 0 - Live 0x0\n${MODULES_6_1}`,
    };
    const links = (name: string): Surroundings => ({
      links: [
        { ifname: 'wg0', linkinfo: { info_kind: 'wireguard' }, addr_info: [{ local: '10.9.0.2' }] },
        { ifname: 'gre1', linkinfo: { info_kind: 'gre' } },
        { ifname: 'gre0.9', link: 'gre1', linkinfo: { info_kind: 'vlan' }, addr_info: [{ local: '10.8.0.2' }] },
      ],
      serverRoute: { remoteAddress: '203.0.113.9', localAddress: name },
    });
    const none = 'is none that a revert makes again';
    expect(await why(tree, inWindow('wireguard'), links('10.9.0.2'))).toContain(`wg0 (wireguard) ${none}`);
    expect(await why(tree, inWindow('ip_gre'), links('10.8.0.2'))).toContain(`gre1 (gre) ${none}`);
    // The card below goes and comes, and wg0 stays; the VLAN is made again.
    for (const kmod of ['virtio_net', '8021q']) {
      const verdict = await verdictOf(virtioHost({ ...TWO_CARDS, ...tree }), inWindow(kmod), links('10.8.0.2'));
      expect(verdict.findings.filter((finding) => finding.code === 'protected' && finding.refuses)).toEqual([]);
    }
  });

  it('may lead over any card where no route is to be seen', async () => {
    const tree = { '/proc/net/route': 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n' };
    expect(await why(tree, { kmod: 'ixgbe' })).toContain("agent's connection");
    const local: Surroundings = { ...WITH_IP, serverRoute: { remoteAddress: '127.0.0.1' } };
    expect(await why(tree, { kmod: 'ixgbe' }, local)).not.toContain("agent's connection");
  });
});
