import { describe, expect, it } from 'vitest';
import { MemoryHostFiles, type MemoryNode } from '../../host/memory-host-files.ts';
import { lostMounts } from './lost-mounts.ts';
import { readProcesses } from './processes.ts';

const ALIASES = [{ pattern: 'fs_xfs', kmod: 'xfs' }];

/** Process 50 has a file of the mount 900 open; its own namespace has the root only. */
const HOST: Record<string, MemoryNode> = {
  '/proc/1/mountinfo': '22 1 254:0 / / rw - ext4 /dev/vda rw\n',
  '/proc/1/ns/mnt': { link: 'mnt:[1]' },
  '/proc/1/fd/0': { link: '/dev/null' },
  '/proc/50/comm': 'shim\n',
  '/proc/50/ns/mnt': { link: 'mnt:[1]' },
  '/proc/50/mountinfo': '22 1 254:0 / / rw - ext4 /dev/vda rw\n',
  '/proc/50/fd/9': { link: '/srv/file' },
  '/proc/50/fdinfo/9': 'pos:\t0\nmnt_id:\t900\n',
};
const container = (mountinfo: MemoryNode): Record<string, MemoryNode> => ({
  '/proc/77/ns/mnt': { link: 'mnt:[2]' },
  '/proc/77/mountinfo': mountinfo,
  '/proc/77/fd/0': { link: '/dev/null' },
});

async function lost(tree: Record<string, MemoryNode>, kmod = 'xfs') {
  const files = new MemoryHostFiles({ ...HOST, ...tree });
  const found = await lostMounts(files, kmod, ALIASES, await readProcesses(files));
  return { found: found.map((one) => one.value), reads: files.reads };
}

describe('files on a file system that was unmounted lazily', () => {
  it('are told by a mount id that no table knows', async () => {
    expect((await lost({})).found).toEqual(['50 (shim) has /srv/file open on a file system that is mounted nowhere']);
    expect((await lost({}, 'dummy')).found).toEqual([]);
  });

  it('are none of those that were passed on from another mount namespace', async () => {
    expect((await lost(container('900 1 0:50 / / rw - xfs /dev/vdb rw\n'))).found).toEqual([]);
  });

  it.each<[string, Record<string, MemoryNode>]>([
    ['a table that cannot be read', container({ errno: 'EACCES' })],
    ['a process that cannot be looked at', { '/proc/78/fd': { errno: 'EACCES' } }],
    [
      'a mount namespace without a process',
      { '/proc/1/mountinfo': '22 1 254:0 / / rw - ext4 /dev/vda rw\n40 22 0:4 mnt:[3] /run/ns rw - nsfs nsfs rw\n' },
    ],
  ])('are said to be that only where every table was seen: %s', async (_, tree) => {
    expect((await lost(tree)).found).toEqual([
      '50 (shim) has /srv/file open on a file system that no mount table seen here has; not every one can be read',
    ]);
  });

  it('are mounted nowhere though a process that only waits to be reaped shows no table', async () => {
    const zombie = { '/proc/79/mountinfo': { errno: 'EINVAL' }, '/proc/79/stat': 'Z' };
    expect((await lost(zombie)).found).toEqual([
      '50 (shim) has /srv/file open on a file system that is mounted nowhere',
    ]);
  });

  it('costs one table a namespace, not one a process', async () => {
    const { reads } = await lost(container('900 1 0:50 / / rw - xfs /dev/vdb rw\n'));
    expect(reads.filter((path) => path.endsWith('/mountinfo'))).toEqual(['/proc/1/mountinfo', '/proc/77/mountinfo']);
  });
});
