import { describe, expect, it } from 'vitest';
import type { MemoryNode } from '../../host/memory-host-files.ts';
import { verdictOf } from '../testing/asked-hosts.ts';
import { MODULES_6_1, virtioHost, virtualInterface } from '../testing/trees.ts';

type Tree = Readonly<Record<string, MemoryNode>>;

const PCI = '/sys/devices/pci0000:00';

/** The way to the server leads over a card of this driver. */
const cardOf = (name: string, driver: string, modules: string): Tree => ({
  '/proc/modules': `${modules}${MODULES_6_1}`,
  [`/sys/class/net/${name}`]: { link: `${PCI}/0000:00:09.0/net/${name}` },
  [`${PCI}/0000:00:09.0/net/${name}/flags`]: '0x1003\n',
  [`${PCI}/0000:00:09.0/net/${name}/device`]: { link: `${PCI}/0000:00:09.0` },
  [`${PCI}/0000:00:09.0/driver`]: { link: `/sys/bus/pci/drivers/${driver}` },
  [`/sys/bus/pci/drivers/${driver}/module`]: { link: `/sys/module/${driver}` },
  '/proc/net/route': `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n${name}\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\n`,
});

const decidedBy = async (kmod: string, tree: Tree, links?: readonly object[]): Promise<string> =>
  (await verdictOf(virtioHost(tree), { kmod }, links === undefined ? {} : { links })).decidedBy;

describe('a card whose driver is two kmods, of which sysfs names one', () => {
  it.each([
    ['mlx4_en', 'mlx4_core', 'mlx4_en 1 0 - Live 0x0\nmlx4_core 1 1 mlx4_en, Live 0x0\n'],
    [
      'iwlmvm',
      'iwlwifi',
      'iwlmvm 1 0 - Live 0x0\nmac80211 1 1 iwlmvm, Live 0x0\niwlwifi 1 1 iwlmvm, Live 0x0\ncfg80211 1 3 iwlmvm,iwlwifi,mac80211, Live 0x0\n',
    ],
  ])('%s makes the interface', async (kmod, driver, modules) => {
    expect(await decidedBy(kmod, cardOf('net0', driver, modules))).toBe('protected');
  });

  const MLX5 = `ib_ipoib 1 0 - Live 0x0
mlx5_vdpa 1 0 - Live 0x0
vdpa 1 1 mlx5_vdpa, Live 0x0
mlx5_ib 1 0 - Live 0x0
ib_core 1 2 mlx5_ib,ib_ipoib, Live 0x0
mlx5_core 1 2 mlx5_ib,mlx5_vdpa, Live 0x0
`;

  it.each(['mlx5_ib', 'mlx5_vdpa'])('%s is the other half of an Ethernet card: asked with a window', async (kmod) => {
    expect(await decidedBy(kmod, cardOf('net0', 'mlx5_core', MLX5))).toBe('needs_confirm_window');
  });

  it('over InfiniBand the RDMA half makes the interface, and the kmod of its kind', async () => {
    const tree = { ...cardOf('ib0', 'mlx5_core', MLX5), [`${PCI}/0000:00:09.0/net/ib0/type`]: '32\n' };
    const links = [{ ifname: 'ib0', linkinfo: { info_kind: 'ipoib' } }];
    for (const kmod of ['ib_ipoib', 'mlx5_ib']) {
      expect(await decidedBy(kmod, tree, links)).toBe('protected');
      expect(await decidedBy(kmod, tree)).toBe('protected');
    }
    expect(await decidedBy('mlx5_vdpa', tree, links)).toBe('needs_confirm_window');
  });
});

describe('interfaces in other network namespaces', () => {
  const CARD: Tree = {
    '/proc/modules': `iavf 16384 0 - Live 0x0\nlibie 16384 1 iavf, Live 0x0\n${MODULES_6_1}`,
    '/sys/bus/pci/devices/0000:00:0a.0': { link: `${PCI}/0000:00:0a.0` },
    [`${PCI}/0000:00:0a.0/driver`]: { link: '/sys/bus/pci/drivers/iavf' },
    '/sys/bus/pci/drivers/iavf/module': { link: '/sys/module/iavf' },
  };

  it.each(['iavf', 'libie'])('a card that was moved into one leaves an empty folder: %s', async (kmod) => {
    const moved: Tree = { ...CARD, [`${PCI}/0000:00:0a.0/net`]: { folder: 'empty' } };
    const { findings } = await verdictOf(virtioHost(moved), { kmod });
    expect(findings.map((finding) => finding.code)).toContain('needs_confirm_window');
    expect(findings.find((finding) => finding.code === 'needs_confirm_window')?.message).toContain(
      'interface is in another network namespace',
    );
  });

  it('a card without any interface is none', async () => {
    expect(await decidedBy('iavf', CARD)).toBe('ok');
  });

  it('one that only a mount keeps', async () => {
    const mounted = (inode: number): Tree => ({
      '/proc/1/mountinfo': `22 1 254:0 / / rw,noatime - ext4 /dev/vda rw
300 22 0:4 net:[${inode}] /run/netns/blue rw shared:9 - nsfs nsfs rw
`,
    });
    const { findings } = await verdictOf(virtioHost(mounted(4_026_532_177)), { kmod: 'dummy' });
    expect(findings[0]?.message).toContain('/run/netns/blue, in which no process runs, may have interfaces of dummy');
    // Docker mounts the host's own too.
    expect(await decidedBy('dummy', mounted(4_026_531_840))).toBe('ok');
    expect(await decidedBy('loop', mounted(4_026_532_177))).toBe('ok');
  });

  it('one that only an open file keeps', async () => {
    const held: Tree = { '/proc/50/fd/7': { link: 'net:[4026532177]' } };
    const { findings } = await verdictOf(virtioHost(held), { kmod: 'dummy' });
    expect(findings[0]?.message).toContain('which process 50 holds');
    expect(
      await decidedBy('dummy', { ...held, '/proc/60/ns/net': { link: 'net:[4026532177]' }, '/proc/60/net/dev': '' }),
    ).toBe('ok');
  });

  it('one of a process whose interfaces cannot be read', async () => {
    const tree: Tree = { '/proc/77/ns/net': { link: 'net:[4026532000]' }, '/proc/77/net/dev': { errno: 'EACCES' } };
    expect(await decidedBy('dummy', tree)).toBe('needs_confirm_window');
  });
});

describe('without the tree of the running kernel', () => {
  const without = (tree: Tree) => {
    const files = virtioHost(tree);
    for (const key of files.nodes.keys()) if (key.startsWith('/lib/modules')) files.nodes.delete(key);
    return files;
  };
  const asked = async (kmod: string, tree: Tree, links: readonly object[] = []): Promise<string> =>
    (await verdictOf(without(tree), { kmod }, { links })).decidedBy;
  const loaded = (...names: readonly string[]): Tree => ({
    '/proc/modules': `${names.map((name) => `${name} 1 0 - Live 0x0\n`).join('')}${MODULES_6_1}`,
  });

  it("the kernel's own kinds are known", async () => {
    const tree = { ...virtualInterface('gre1', true), ...loaded('ip_gre', 'gre', 'tipc') };
    const links = [{ ifname: 'gre1', linkinfo: { info_kind: 'gre' } }];
    expect(await asked('ip_gre', tree, links)).toBe('needs_confirm_window');
    expect(await asked('tipc', tree, links)).toBe('ok');
  });

  it('an interface of another kind may be of any kmod', async () => {
    const tree = { ...virtualInterface('odd0', true), ...loaded('oddity_driver', 'tipc') };
    const links = [{ ifname: 'odd0', linkinfo: { info_kind: 'oddity' } }];
    expect(await asked('oddity_driver', tree, links)).toBe('needs_confirm_window');
  });

  it('interfaces in containers may be of any kmod', async () => {
    const container: Tree = {
      '/proc/77/ns/net': { link: 'net:[4026532000]' },
      '/proc/77/net/dev': 'Inter-|   Receive\n face |bytes\n    lo: 0\n  eth9: 0\n',
      ...loaded('macvlan', 'oddity'),
    };
    expect(await asked('macvlan', container)).toBe('needs_confirm_window');
    expect(await asked('oddity', container)).toBe('needs_confirm_window');
  });
});
