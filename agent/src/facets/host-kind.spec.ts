import { describe, expect, it } from 'vitest';
import { MemoryHostFiles, type MemoryNode } from '../host/memory-host-files.ts';
import { containerKind } from './host-kind.ts';

const FIRST = { '/proc/self/ns/pid': { link: 'pid:[4026531836]' }, '/proc/self/ns/mnt': { link: 'mnt:[1]' } };

function kind(nodes: Record<string, MemoryNode>) {
  return containerKind(new MemoryHostFiles(nodes));
}

describe('containerKind', () => {
  it('finds none on a machine without marks', async () => {
    expect(await kind({ '/etc/os-release': '' })).toBeUndefined();
  });

  it.each([
    [{ '/.dockerenv': '' }, 'docker'],
    [{ '/run/.containerenv': '' }, 'podman'],
    [{ '/run/systemd/container': 'lxc\n' }, 'lxc'],
    [{ '/var/run/secrets/kubernetes.io/x': '' }, 'kubernetes'],
    [{ '/proc/1/environ': 'PATH=/bin\0container=systemd-nspawn\0' }, 'systemd-nspawn'],
  ])('finds the mark %j', async (nodes, expected) => {
    expect(await kind(nodes)).toBe(expected);
    expect(await kind({ ...nodes, '/proc/self/ns/pid': { link: 'pid:[4026532000]' } })).toBe(expected);
  });

  it('does not believe a mark on the machine itself, whose disk was made from an image', async () => {
    expect(await kind({ ...FIRST, '/.dockerenv': '', '/proc/1/ns/mnt': { link: 'mnt:[1]' } })).toBeUndefined();
    const ext4 = '27 1 254:0 / / rw - ext4 /dev/vda rw\n22 27 0:21 / /proc rw - proc proc rw\n';
    expect(await kind({ ...FIRST, '/.dockerenv': '', '/proc/self/mountinfo': ext4 })).toBeUndefined();
  });

  it("believes it in a container that shares the machine's process ids", async () => {
    expect(await kind({ ...FIRST, '/.dockerenv': '', '/proc/1/ns/mnt': { link: 'mnt:[2]' } })).toBe('docker');
    const overlay = '27 1 0:50 / / rw - overlay overlay rw\n';
    expect(await kind({ ...FIRST, '/.dockerenv': '', '/proc/self/mountinfo': overlay })).toBe('docker');
    expect(await kind({ ...FIRST, '/.dockerenv': '' })).toBe('docker');
  });
});
