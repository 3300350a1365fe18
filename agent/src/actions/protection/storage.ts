import type { HostFiles } from '../../host/host-files.ts';
import { valueOf, whyUnreadable } from '../../host/read-outcome.ts';
import { kernelName } from '../../kmod/kernel-name.ts';
import type { DmTables } from '../usage/dm-tables.ts';
import { baseName, supportsOfBlock, type Support } from './device-chain.ts';
import { type Mount, mountOf, readMounts } from './mounts.ts';
import type { ForeignMounts } from './namespaces.ts';

/** Something stored, and the kmods that it stands on. */
export interface StorageUse {
  /** For people: `/ (ext4 on /dev/vda1)`. */
  readonly what: string;
  /** The host or the agent cannot live without it. */
  readonly vital: boolean;
  readonly supports: readonly Support[];
}

/** All storage in use, and what could not be seen. */
export interface StorageUses {
  readonly uses: readonly StorageUse[];
  readonly unseen: readonly string[];
  /** Why the walk says nothing of storage that the host needs, one sentence each: then any kmod may be below it. */
  readonly blind: readonly string[];
}

/** Paths whose loss ends the host, or the agent: programs, settings, kmods, and its own state. */
const VITAL_PATHS = ['/', '/boot', '/boot/efi', '/etc', '/usr', '/var', '/lib/modules'];

/** Block device numbers below this major are not used by virtual file systems; 0 is "no device" (btrfs, overlay, nfs). */
const NO_DEVICE = 0;

/** What stands behind a name from the table of file systems: which kmod is behind `fs-TYPE`. */
export type ResolveAlias = (alias: string) => readonly string[];

/**
 * Every mount and swap with the kmods below it. `ownPaths` are the agent's: its state folder and its program; `elsewhere` the mounts of other mount
 * namespaces.
 */
export async function readStorageUses(
  files: HostFiles,
  resolve: ResolveAlias,
  ownPaths: readonly string[],
  tables: DmTables,
  elsewhere: readonly ForeignMounts[],
): Promise<StorageUses> {
  const mounts = await readMounts(files);
  if (mounts.kind !== 'ok')
    return {
      uses: [],
      unseen: [],
      blind: [`${whyUnreadable('/proc/1/mountinfo', mounts)}: what is mounted cannot be seen`],
    };
  const blind: string[] = [];
  const vital = new Set([...VITAL_PATHS, ...ownPaths].map((path) => mountOf(mounts.value, path)));
  // Swap on a file needs its file system; on a device, the device.
  const swaps = parseSwaps(valueOf(await files.readText('/proc/swaps')) ?? '');
  for (const swap of swaps) if (swap.type === 'file') vital.add(mountOf(mounts.value, swap.path));
  const unseen: string[] = [];
  const uses: StorageUse[] = [];
  for (const mount of mounts.value) {
    const isVital = vital.has(mount);
    if (isVital) blind.push(...(await whyUnwalkable(files, mount)));
    const supports = await supportsOfMount({ files, resolve, tables, unseen }, mount, mounts.value, isVital);
    if (supports.length > 0)
      uses.push({ what: `${mount.point} (${mount.type} on ${mount.source})`, vital: isVital, supports });
  }
  for (const { pid, mount } of onlyElsewhere(mounts.value, elsewhere)) {
    const supports = await supportsOfMount({ files, resolve, tables, unseen }, mount, [], false);
    const what = `${mount.point} (${mount.type} on ${mount.source}) in the mount namespace of process ${pid}`;
    if (supports.length > 0) uses.push({ what, vital: false, supports });
  }
  for (const swap of swaps.filter((one) => one.type !== 'file')) {
    const supports = await supportsOfBlock(files, await blockFolder(files, swap.path), tables);
    if (supports.length > 0) uses.push({ what: `swap on ${swap.path}`, vital: true, supports });
  }
  return { uses, unseen, blind };
}

/** File systems that only other mount namespaces have: the same number is the same file system. */
function onlyElsewhere(
  own: readonly Mount[],
  elsewhere: readonly ForeignMounts[],
): { readonly pid: number; readonly mount: Mount }[] {
  const keyOf = ({ device, type }: Mount): string => `${device.major}:${device.minor} ${type}`;
  const known = new Set(own.map(keyOf));
  const found: { pid: number; mount: Mount }[] = [];
  for (const { pid, mounts } of elsewhere) {
    for (const mount of mounts) {
      if (known.has(keyOf(mount))) continue;
      known.add(keyOf(mount));
      found.push({ pid, mount });
    }
  }
  return found;
}

/** A disk that sysfs does not show has no walk; one whose drivers are all built in has a walk that finds nothing. */
async function whyUnwalkable(files: HostFiles, { device, point, source }: Mount): Promise<string[]> {
  if (device.major === NO_DEVICE) return [];
  const folder = `/sys/dev/block/${device.major}:${device.minor}`;
  const real = await files.realPath(folder);
  return real.kind === 'ok'
    ? []
    : [`${whyUnreadable(folder, real)}: what ${point} (${source}) stands on cannot be seen`];
}

interface Walk {
  readonly files: HostFiles;
  readonly resolve: ResolveAlias;
  readonly tables: DmTables;
  /** What could not be walked is added. */
  readonly unseen: string[];
}

async function supportsOfMount(walk: Walk, mount: Mount, mounts: readonly Mount[], vital: boolean): Promise<Support[]> {
  const { files, resolve, tables, unseen } = walk;
  const type = fileSystemSupport(mount, resolve);
  if (mount.device.major !== NO_DEVICE) {
    const folder = `/sys/dev/block/${mount.device.major}:${mount.device.minor}`;
    return [...type, ...(await supportsOfBlock(files, folder, tables))];
  }
  if (mount.type === 'btrfs') return [...type, ...(await supportsOfBtrfs(walk, mount))];
  if (mount.type === 'overlay') {
    const below = overlayPaths(mount)
      .map((path) => mountOf(mounts, path))
      .filter((one) => one !== undefined && one !== mount);
    const supports = await Promise.all(
      below.map(async (one) => (one === undefined ? [] : supportsOfMount(walk, one, [], vital))),
    );
    return [...type, ...supports.flat()];
  }
  if (mount.source.startsWith('/dev/'))
    return [...type, ...(await supportsOfBlock(files, await blockFolder(files, mount.source), tables))];
  if (vital && NOT_WALKED.has(mount.type))
    unseen.push(`what ${mount.point} (${mount.type}) stands on is not visible from sysfs`);
  return type;
}

/** File systems whose devices sysfs does not name. */
const NOT_WALKED = new Set([
  'zfs',
  'nfs',
  'nfs4',
  'cifs',
  'ceph',
  '9p',
  'virtiofs',
  'fuse',
  'fuseblk',
  'bcachefs',
  'gfs2',
  'ocfs2',
]);

function fileSystemSupport(mount: Mount, resolve: ResolveAlias): Support[] {
  const type = mount.type.split('.')[0] ?? mount.type;
  const names = resolve(`fs-${type}`);
  return (names.length > 0 ? names : [kernelName(type)]).map((kmod) => ({
    kmod,
    seenAt: `${mount.point} is ${mount.type}`,
  }));
}

/** btrfs has an anonymous device number: the devices of all its file systems that hold the mount's source. */
async function supportsOfBtrfs({ files, tables }: Walk, mount: Mount): Promise<Support[]> {
  const source = await blockFolder(files, mount.source);
  const name = baseName(source);
  for (const entry of valueOf(await files.list('/sys/fs/btrfs')) ?? []) {
    const devices = (valueOf(await files.list(`/sys/fs/btrfs/${entry.name}/devices`)) ?? []).map(
      (device) => device.name,
    );
    if (!devices.includes(name)) continue;
    const supports = await Promise.all(
      devices.map((device) => supportsOfBlock(files, `/sys/class/block/${device}`, tables)),
    );
    return supports.flat();
  }
  return supportsOfBlock(files, source, tables);
}

function overlayPaths(mount: Mount): string[] {
  return mount.superOptions
    .split(',')
    .filter((option) => /^(lowerdir|upperdir|workdir)=/.test(option))
    .flatMap((option) => option.slice(option.indexOf('=') + 1).split(':'))
    .filter((path) => path.startsWith('/'));
}

/** The sysfs folder of a node below /dev, by its name: /dev/mapper/x and /dev/disk/by-* are links. */
async function blockFolder(files: HostFiles, node: string): Promise<string> {
  const real = valueOf(await files.realPath(node)) ?? node;
  return `/sys/class/block/${baseName(real)}`;
}

interface Swap {
  readonly path: string;
  readonly type: string;
}

/** Lines of /proc/swaps below its heading: path, type, size, used, priority. */
export function parseSwaps(text: string): Swap[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [path, type] = line.split(/\s+/);
      return path === undefined || type === undefined || path === ''
        ? []
        : [{ path: path.replaceAll('\\040', ' '), type }];
    });
}
