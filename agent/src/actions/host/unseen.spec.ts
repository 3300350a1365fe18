import { describe, expect, it } from 'vitest';
import type { MemoryNode } from '../../host/memory-host-files.ts';
import { type Surroundings, verdictOf } from '../testing/asked-hosts.ts';
import { MODULES_6_1, virtioHost, virtualInterface } from '../testing/trees.ts';

type Tree = Readonly<Record<string, MemoryNode>>;

/** Why dummy, on which nothing stands, may not go all the same. */
async function refusal(tree: Tree, kmod = 'dummy', surroundings: Surroundings = {}): Promise<string | undefined> {
  const { findings } = await verdictOf(virtioHost(tree), { kmod }, surroundings);
  return findings.find((finding) => finding.refuses)?.message;
}

const swaps = (line: string): Tree => ({ '/proc/swaps': `Filename Type Size Used Priority\n${line}\n` });

describe('what cannot be looked at is not free', () => {
  it('swap', async () => {
    expect(await refusal({ '/proc/swaps': { errno: 'EACCES' } })).toContain('what swap is on cannot be seen');
    expect(await refusal(swaps('/dev/sda2\\040(deleted) partition 1 0 -2'))).toContain(
      '/sys/class/block/sda2 does not exist: what swap on /dev/sda2 stands on',
    );
    // A node that is gone, and one below a folder of /dev, are still devices of sysfs.
    expect(await refusal({ ...swaps('/dev/vda\\040(deleted) partition 1 0 -2') })).toBeUndefined();
    const cciss = {
      '/sys/class/block/cciss!c0d0p2': { link: '/sys/devices/pci0000:00/0000:00:02.0/virtio0/block/vda' },
    };
    expect(await refusal({ ...swaps('/dev/cciss/c0d0p2 partition 1 0 -2'), ...cciss })).toBeUndefined();
  });

  it('the layers of an overlay', async () => {
    const overlay = (options: string, more = ''): Tree => ({
      '/proc/1/mountinfo': `22 1 0:30 / / rw - overlay overlay rw,${options}\n${more}`,
    });
    const lost = 'lowerdir=/lower,upperdir=/rw/up,workdir=/rw/work';
    expect(await refusal(overlay(lost))).toContain('/lower is on no mount that is to be seen: what / (overlay');
    expect(await refusal(overlay('lowerdir=lower'))).toContain('its layers is on no mount');
    const seen = '30 22 254:0 / /lower rw - ext4 /dev/vda rw\n31 22 0:40 / /rw rw - tmpfs tmpfs rw\n';
    expect(await refusal(overlay(lost, seen))).toBeUndefined();
    expect(await refusal(overlay('lowerdir+=/lower,lowerdir+=/gone', seen))).toContain('/gone is on no mount');
  });

  it('a file system without a device of its own', async () => {
    const btrfs = { '/proc/1/mountinfo': '22 1 0:25 /@ / rw - btrfs /dev/mapper/root rw,subvol=/@\n' };
    expect(await refusal(btrfs)).toContain('/sys/class/block/root does not exist: what / (btrfs on /dev/mapper/root)');
  });

  it("an interface's flags", async () => {
    const unreadable = {
      ...virtualInterface('dummy0', true),
      '/sys/devices/virtual/net/dummy0/flags': { errno: 'EIO' },
    };
    const links = [{ ifname: 'dummy0', linkinfo: { info_kind: 'dummy' } }];
    expect(await refusal(unreadable, 'dummy', { links })).toContain('which may be up (its flags cannot be read)');
  });

  it("a watchdog's state", async () => {
    const softdog = { '/proc/modules': `softdog 1 0 - Live 0x0\n${MODULES_6_1}` };
    const named = { ...softdog, '/sys/class/watchdog/watchdog0/identity': 'Software Watchdog\n' };
    expect(await refusal(named, 'softdog')).toContain('whether it is armed is not to be seen');
    expect(await refusal({ ...softdog, '/sys/class/watchdog/watchdog0/dev': '10:130\n' }, 'softdog')).toContain(
      'whether it is armed is not to be seen',
    );
    expect(await refusal({ ...named, '/sys/class/watchdog/watchdog0/state': 'inactive\n' }, 'softdog')).toBeUndefined();
  });
});

describe('volumes are found where /dev is not that of the host', () => {
  const DM = '/sys/devices/virtual/block/dm-0';
  const VOLUME: Tree = {
    '/proc/modules': `dm_crypt 1 1 - Live 0x0\ndm_mod 1 2 dm_crypt, Live 0x0\n${MODULES_6_1}`,
    '/sys/class/block/dm-0': { link: DM },
    [`${DM}/dm/uuid`]: 'CRYPT-LUKS2-abc-root\n',
    [`${DM}/dm/name`]: 'root vol\n',
    [`${DM}/slaves/vda`]: { link: '/sys/devices/pci0000:00/0000:00:02.0/virtio0/block/vda' },
  };

  it.each([
    ['a root on btrfs', { '/proc/1/mountinfo': '22 1 0:25 /@ / rw - btrfs /dev/mapper/root\\134x20vol rw\n' }],
    ['swap', swaps('/dev/mapper/root\\134x20vol partition 1 0 -2')],
  ])('%s', async (_, tree: Tree) => {
    expect(await refusal({ ...VOLUME, ...tree }, 'dm_crypt')).toContain('dm_crypt');
    const { decidedBy, findings } = await verdictOf(virtioHost({ ...VOLUME, ...tree }), { kmod: 'dm_crypt' });
    expect([decidedBy, findings.map((one) => one.message).join()]).toEqual([
      'protected',
      expect.stringContaining('carries'),
    ]);
  });
});
