import { describe, expect, it } from 'vitest';
import { MemoryHostFiles } from '../host/memory-host-files.ts';
import { readHostHealth } from './host-health.ts';

const MOUNTS = `22 1 254:0 / / rw,noatime - ext4 /dev/vda rw
23 22 0:5 / /proc rw - proc proc rw
24 22 254:16 / /data\\040here rw - ext4 /dev/vdb rw
25 22 0:40 / /var/lib/docker/overlay2/x rw - overlay overlay rw
26 22 0:41 / /mnt rw - nfs4 files:/export rw
27 22 0:42 / /run/user/0 rw - tmpfs tmpfs rw
`;

const nodes = {
  '/proc/sys/kernel/random/boot_id': 'b00t\n',
  '/proc/sys/kernel/tainted': '4096\n',
  '/sys/kernel/oops_count': '0\n',
  '/sys/kernel/warn_count': '2\n',
  '/sys/class/net/lo/operstate': 'unknown\n',
  '/sys/class/net/eth0/operstate': 'up\n',
  '/proc/1/mountinfo': MOUNTS,
};

describe('the health of a host', () => {
  it('is its boot, its kernel’s counts, its links and what it has mounted for long', async () => {
    expect(await readHostHealth(new MemoryHostFiles(nodes))).toEqual({
      bootId: 'b00t',
      taint: 4096,
      oopsCount: 0,
      warnCount: 2,
      links: ['eth0 up', 'lo unknown'],
      mounts: ['/dev/vda / ext4', '/dev/vdb /data here ext4', 'files:/export /mnt nfs4'],
    });
  });

  it('does not say what the kernel does not count, and fails for nothing', async () => {
    const { '/sys/kernel/oops_count': _oops, '/sys/kernel/warn_count': _warn, ...old } = nodes;
    const health = await readHostHealth(new MemoryHostFiles(old));
    expect([health.oopsCount, health.warnCount]).toEqual([undefined, undefined]);
    const none = await readHostHealth(new MemoryHostFiles({ '/sys/class/net/eth0/operstate': { errno: 'EINVAL' } }));
    expect(none).toMatchObject({ bootId: '', taint: 0, links: ['eth0 unknown'], mounts: [] });
  });

  it('has a root whatever it is made of', async () => {
    const files = new MemoryHostFiles({ '/proc/1/mountinfo': '22 1 0:1 / / rw - overlay overlay rw\n' });
    expect((await readHostHealth(files)).mounts).toEqual(['overlay / overlay']);
  });
});
