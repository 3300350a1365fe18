import type { HostHealth } from '@modfleet/proto';
import { readMounts } from '../actions/protection/mounts.ts';
import type { HostFiles } from '../host/host-files.ts';
import { valueOf } from '../host/read-outcome.ts';
import { mapLimited } from '../facets/observation.ts';

/** More of either is a host of thousands of containers: the first ones, in order, are told. */
const LINKS_MAX = 256;
const MOUNTS_MAX = 256;

/** Reads at a time. */
const WIDTH = 16;

/**
 * File systems of the kernel's own, of containers, sessions and packages: they come and go without anything being wrong. What carries a host's data,
 * local or over a network, is of another type.
 */
const PASSING = new Set(
  [
    'proc sysfs devtmpfs devpts tmpfs ramfs cgroup cgroup2 cpuset securityfs selinuxfs pstore bpf debugfs tracefs hugetlbfs',
    'mqueue fusectl configfs efivarfs binfmt_misc autofs rpc_pipefs nfsd nsfs overlay squashfs',
    'fuse.gvfsd-fuse fuse.portal fuse.lxcfs',
  ].flatMap((line) => line.split(' ')),
);

/** What the host says of its health now. Without any rights: every file is readable by everybody. What cannot be read is left out. */
export async function readHostHealth(files: HostFiles): Promise<HostHealth> {
  const [bootId, taint, oopsCount, warnCount, links, mounts] = await Promise.all([
    files.readText('/proc/sys/kernel/random/boot_id'),
    readCount(files, '/proc/sys/kernel/tainted'),
    readCount(files, '/sys/kernel/oops_count'),
    readCount(files, '/sys/kernel/warn_count'),
    readLinks(files),
    readLastingMounts(files),
  ]);
  return { bootId: valueOf(bootId)?.trim() ?? '', taint: taint ?? 0, oopsCount, warnCount, links, mounts };
}

async function readCount(files: HostFiles, path: string): Promise<number | undefined> {
  const text = valueOf(await files.readText(path))?.trim() ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

async function readLinks(files: HostFiles): Promise<string[]> {
  const entries = (valueOf(await files.list('/sys/class/net')) ?? []).slice(0, LINKS_MAX);
  return mapLimited(entries, WIDTH, async ({ name }) => {
    const state = valueOf(await files.readText(`/sys/class/net/${name}/operstate`))?.trim() ?? 'unknown';
    return `${name} ${state}`;
  }).then((lines) => lines.sort());
}

async function readLastingMounts(files: HostFiles): Promise<string[]> {
  const mounts = valueOf(await readMounts(files)) ?? [];
  const lasting = mounts.filter(({ type, point }) => point === '/' || !PASSING.has(type));
  const lines = new Set(lasting.map(({ source, point, type }) => `${source} ${point} ${type}`));
  return [...lines].sort().slice(0, MOUNTS_MAX);
}
