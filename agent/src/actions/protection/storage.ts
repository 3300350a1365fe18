import type { HostFiles } from '../../host/host-files.ts';
import { valueOf, whyUnreadable } from '../../host/read-outcome.ts';
import { kernelName } from '../../kmod/kernel-name.ts';
import type { DmTables } from '../usage/dm-tables.ts';
import { blockFolderOf, isThere } from './block-nodes.ts';
import { baseName, blockFolders, type Support, supportsOfBlock, supportsOfDevice } from './device-chain.ts';
import { type Mount, mountOf, readMounts } from './mounts.ts';
import type { ForeignMounts } from './namespaces.ts';
import { type Peer, peersOfBlock, peersOfMount } from './network-peers.ts';
import { readSwaps } from './swaps.ts';

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

/** What stands below the way over the network to a peer. */
export type SupportsOfPeer = (peer: Peer) => Promise<readonly Support[]>;

/** What the walks are made of. */
export interface StorageSources {
  readonly files: HostFiles;
  readonly resolve: ResolveAlias;
  /** The agent's own: its state folder and its program. */
  readonly ownPaths: readonly string[];
  readonly tables: DmTables;
  /** The mounts of other mount namespaces. */
  readonly elsewhere: readonly ForeignMounts[];
  readonly supportsOfPeer: SupportsOfPeer;
}

/** Every mount and swap with the kmods below it. */
export async function readStorageUses(sources: StorageSources): Promise<StorageUses> {
  const { files, ownPaths, elsewhere } = sources;
  const mounts = await readMounts(files);
  if (mounts.kind !== 'ok')
    return {
      uses: [],
      unseen: [],
      blind: [`${whyUnreadable('/proc/1/mountinfo', mounts)}: what is mounted cannot be seen`],
    };
  const walk: Walk = { ...sources, mounts: mounts.value, unseen: [], blind: [] };
  const vital = new Set([...VITAL_PATHS, ...ownPaths].map((path) => mountOf(mounts.value, path)));
  const swaps = await readSwaps(files);
  if (swaps.kind !== 'ok') walk.blind.push(`${whyUnreadable('/proc/swaps', swaps)}: what swap is on cannot be seen`);
  const swapsInUse = valueOf(swaps) ?? [];
  // Swap on a file needs its file system; on a device, the device.
  for (const swap of swapsInUse) if (swap.type === 'file') vital.add(mountOf(mounts.value, swap.path));
  const uses: StorageUse[] = [];
  for (const mount of mounts.value) {
    const isVital = vital.has(mount);
    const supports = await supportsOfMount(walk, mount, isVital);
    if (supports.length > 0)
      uses.push({ what: `${mount.point} (${mount.type} on ${mount.source})`, vital: isVital, supports });
  }
  for (const { pid, mount } of onlyElsewhere(mounts.value, elsewhere)) {
    const supports = await supportsOfMount({ ...walk, mounts: [] }, mount, false);
    const what = `${mount.point} (${mount.type} on ${mount.source}) in the mount namespace of process ${pid}`;
    if (supports.length > 0) uses.push({ what, vital: false, supports });
  }
  for (const { path } of swapsInUse.filter((one) => one.type !== 'file')) {
    const folder = await blockFolderOf(files, path);
    const supports = await supportsOfDisk(walk, folder);
    if (supports.length > 0) uses.push({ what: `swap on ${path}`, vital: true, supports });
    if (!(await isThere(files, folder)))
      walk.blind.push(`${folder} does not exist: what swap on ${path} stands on cannot be seen`);
  }
  return { uses, unseen: walk.unseen, blind: walk.blind };
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

interface Walk extends StorageSources {
  /** Those that a path of `mount` can lead to: the layers of an overlay, the file behind a loop device. */
  readonly mounts: readonly Mount[];
  /** What could not be walked is added; `blind` only for what is vital. */
  readonly unseen: string[];
  readonly blind: string[];
}

/** `vital`: what cannot be walked then says so. */
async function supportsOfMount(walk: Walk, mount: Mount, vital: boolean): Promise<Support[]> {
  const type = fileSystemSupport(mount, walk.resolve);
  if (mount.device.major !== NO_DEVICE) {
    const folder = `/sys/dev/block/${mount.device.major}:${mount.device.minor}`;
    // A disk that sysfs does not show has no walk; one whose drivers are all built in has a walk that finds nothing.
    const real = await walk.files.realPath(folder);
    if (vital && real.kind !== 'ok') blindOf(walk, mount, whyUnreadable(folder, real));
    return [...type, ...(await supportsOfDisk(walk, folder)), ...(await supportsOfBacking(walk, mount, folder, vital))];
  }
  if (mount.type === 'btrfs') return [...type, ...(await supportsOfBtrfs(walk, mount, vital))];
  if (mount.type === 'overlay') return [...type, ...(await supportsOfLayers(walk, mount, vital))];
  if (vital && NOT_WALKED.has(mount.type))
    walk.unseen.push(`what ${mount.point} (${mount.type}) stands on is not visible from sysfs`);
  if (mount.source.startsWith('/dev/'))
    return [...type, ...(await supportsOfDisk(walk, await blockFolderOf(walk.files, mount.source)))];
  const passedOn = THROUGH_THE_HYPERVISOR.has(mount.type) ? await supportsOfVirtioShares(walk.files) : [];
  const flash = ON_FLASH.has(mount.type) ? await supportsOfAll(walk.files, '/sys/class/mtd') : [];
  // A share that goes away for a moment comes back, if the host itself does not live on it.
  const remote = vital ? await supportsOfPeers(walk, peersOfMount(mount)) : [];
  return [...type, ...passedOn, ...flash, ...remote];
}

/** File systems whose devices sysfs does not name. */
const NOT_WALKED = new Set(['zfs', 'bcachefs']);

/** File systems on raw flash, whose source is no device of sysfs: any flash counts. */
const ON_FLASH = new Set(['ubifs', 'jffs2']);

function blindOf({ blind }: Walk, { point, type, source }: Mount, why: string): void {
  blind.push(`${why}: what ${point} (${type} on ${source}) stands on cannot be seen`);
}

/** A disk, what it lies on, and the way to the machine that it is on. */
async function supportsOfDisk(walk: Walk, folder: string): Promise<Support[]> {
  const { files, tables } = walk;
  const [supports, folders] = await Promise.all([supportsOfBlock(files, folder, tables), blockFolders(files, folder)]);
  return [...supports, ...(await supportsOfPeers(walk, await peersOfBlock(files, folders)))];
}

async function supportsOfPeers({ supportsOfPeer }: Walk, peers: readonly Peer[]): Promise<Support[]> {
  return (await Promise.all(peers.map(supportsOfPeer))).flat();
}

/** What the file behind a loop device lies on. */
async function supportsOfBacking(walk: Walk, mount: Mount, folder: string, vital: boolean): Promise<Support[]> {
  const file = valueOf(await walk.files.readText(`${folder}/loop/backing_file`))?.trim();
  const below = file === undefined ? undefined : mountOf(walk.mounts, file);
  return below === undefined || below === mount ? [] : supportsOfMount({ ...walk, mounts: [] }, below, vital);
}

/** An overlay whose layers are mounted where the host does not see them (any more) tells nothing of what it lies on. */
async function supportsOfLayers(walk: Walk, mount: Mount, vital: boolean): Promise<Support[]> {
  const layers = layersOf(mount).map((path) => ({ path, mount: mountOf(walk.mounts, path) }));
  const hidden = layers.filter((layer) => layer.mount === undefined || layer.mount === mount);
  if (vital && (layers.length === 0 || hidden.length > 0))
    blindOf(walk, mount, `${hidden[0]?.path ?? 'its layers'} is on no mount that is to be seen`);
  const below = new Set(layers.flatMap((layer) => (layer.mount === undefined ? [] : [layer.mount])));
  below.delete(mount);
  return (await Promise.all([...below].map((one) => supportsOfMount({ ...walk, mounts: [] }, one, vital)))).flat();
}

/** Layers of an overlay: folders, several to a `lowerdir=`, one to a `lowerdir+=` (Documentation/filesystems/overlayfs.rst). */
function layersOf(mount: Mount): string[] {
  return mount.superOptions
    .split(',')
    .filter((option) => /^(?:lowerdir\+?|datadir\+|upperdir|workdir)=/.test(option))
    .flatMap((option) => option.slice(option.indexOf('=') + 1).split(':'))
    .filter((path) => path.startsWith('/'));
}

function fileSystemSupport(mount: Mount, resolve: ResolveAlias): Support[] {
  const type = mount.type.split('.')[0] ?? mount.type;
  const names = resolve(`fs-${type}`);
  return (names.length > 0 ? names : [kernelName(type)]).map((kmod) => ({
    kmod,
    seenAt: `${mount.point} is ${mount.type}`,
  }));
}

/** btrfs has an anonymous device number: the devices of all its file systems that hold the mount's source. */
async function supportsOfBtrfs(walk: Walk, mount: Mount, vital: boolean): Promise<Support[]> {
  const { files } = walk;
  const source = await blockFolderOf(files, mount.source);
  const name = baseName(source);
  for (const entry of valueOf(await files.list('/sys/fs/btrfs')) ?? []) {
    const devices = (valueOf(await files.list(`/sys/fs/btrfs/${entry.name}/devices`)) ?? []).map(
      (device) => device.name,
    );
    if (!devices.includes(name)) continue;
    const supports = await Promise.all(devices.map((device) => supportsOfDisk(walk, `/sys/class/block/${device}`)));
    return supports.flat();
  }
  if (vital && !(await isThere(files, source))) blindOf(walk, mount, `${source} does not exist`);
  return supportsOfDisk(walk, source);
}

/** Folders of the hypervisor's machine that are mounted here. */
const THROUGH_THE_HYPERVISOR = new Set(['virtiofs', '9p']);

/** Which share is behind which device is not to be seen: all count. */
async function supportsOfVirtioShares(files: HostFiles): Promise<Support[]> {
  const drivers = ['virtiofs', 'virtio_fs', '9pnet_virtio'].map((driver) => `/sys/bus/virtio/drivers/${driver}`);
  return (await Promise.all(drivers.map((folder) => supportsOfAll(files, folder)))).flat();
}

/** What every device of a class stands on, or of a driver. */
async function supportsOfAll(files: HostFiles, folder: string): Promise<Support[]> {
  const supports: Support[] = [];
  for (const { name } of valueOf(await files.list(folder)) ?? []) {
    const device = valueOf(await files.realPath(`${folder}/${name}`));
    if (device?.startsWith('/sys/devices/') === true) supports.push(...(await supportsOfDevice(files, device)));
  }
  return supports;
}
