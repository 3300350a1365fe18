import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import { kernelName } from '../../kmod/kernel-name.ts';
import { type DmTables, kmodOfTarget } from '../usage/dm-tables.ts';

/** A kmod that something stands on, and where that was seen. */
export interface Support {
  readonly kmod: string;
  /** A path below /sys, or what was concluded from it. */
  readonly seenAt: string;
}

/** Deeper than any real stack of dm on md on partitions; stops a tree that loops. */
const MAX_DEPTH = 24;

/**
 * The kmods that a device stands on: the module behind the driver of the device and of every parent up to /sys/devices (kernel-facts: "the
 * walks"). A driver without a `module` link is built in and gives none.
 */
export async function supportsOfDevice(files: HostFiles, realFolder: string): Promise<Support[]> {
  const supports: Support[] = [];
  for (let folder = realFolder; folder.startsWith('/sys/devices/'); folder = folder.slice(0, folder.lastIndexOf('/'))) {
    const module = valueOf(await files.readLink(`${folder}/driver/module`));
    if (module !== undefined) supports.push({ kmod: kernelName(baseName(module)), seenAt: `${folder}/driver/module` });
  }
  return supports;
}

/** Virtual block devices, by the name that their driver gives them: they have no driver link. */
const VIRTUAL_BLOCK = [
  ['dm-', 'dm_mod'],
  ['md', 'md_mod'],
  ['loop', 'loop'],
  ['zram', 'zram'],
  ['nbd', 'nbd'],
  ['bcache', 'bcache'],
  ['drbd', 'drbd'],
  ['rbd', 'rbd'],
  ['etherd!', 'aoe'],
  ['ram', 'brd'],
  ['nvme', 'nvme_core'],
] as const;

/** device-mapper targets, by the prefix of the device's uuid (dm/uuid). */
const DM_UUID = [
  ['CRYPT-', 'dm_crypt'],
  ['mpath-', 'dm_multipath'],
  ['VERITY-', 'dm_verity'],
  ['INTEGRITY-', 'dm_integrity'],
] as const;

/** md levels whose kmod is not called after them (drivers/md). */
const MD_LEVEL: Readonly<Record<string, string>> = { raid4: 'raid456', raid5: 'raid456', raid6: 'raid456' };

/** The kmod of an array's level, as md/level has it. */
export function kmodOfLevel(level: string): string {
  return MD_LEVEL[level] ?? kernelName(level);
}

/** The kmods that a block device stands on, through partitions, device-mapper, md and multipath, down to its buses. */
export async function supportsOfBlock(files: HostFiles, folder: string, tables: DmTables): Promise<Support[]> {
  const folders = await blockFolders(files, folder);
  return (await Promise.all(folders.map((real) => supportsOfFolder(files, real, tables)))).flat();
}

/**
 * The real folder of a block device and of everything that it lies on, nearest first: slaves, the disk of a partition, the controllers of a
 * multipath disk. Empty: sysfs does not have it.
 */
export async function blockFolders(files: HostFiles, folder: string, depth = 0): Promise<string[]> {
  const real = valueOf(await files.realPath(folder));
  if (real === undefined || depth > MAX_DEPTH) return [];
  const found = [real];
  for (const below of await foldersBelow(files, real)) found.push(...(await blockFolders(files, below, depth + 1)));
  return [...new Set(found)];
}

async function supportsOfFolder(files: HostFiles, real: string, tables: DmTables): Promise<Support[]> {
  const supports = await supportsOfDevice(files, real);
  const name = baseName(real);
  const virtual = real.startsWith('/sys/devices/virtual/')
    ? VIRTUAL_BLOCK.find(([prefix]) => name.startsWith(prefix))
    : undefined;
  if (virtual !== undefined) supports.push({ kmod: virtual[1], seenAt: real });
  const uuid = valueOf(await files.readText(`${real}/dm/uuid`))?.trim();
  const target = DM_UUID.find(([prefix]) => uuid?.startsWith(prefix));
  if (target !== undefined) supports.push({ kmod: target[1], seenAt: `${real}/dm/uuid: ${target[0]}…` });
  const volume = valueOf(await files.readText(`${real}/dm/name`))?.trim();
  for (const kind of tables?.get(volume ?? '') ?? [])
    supports.push({ kmod: kmodOfTarget(kind), seenAt: `dmsetup table ${volume ?? ''}: ${kind}` });
  const level = valueOf(await files.readText(`${real}/md/level`))?.trim();
  if (level !== undefined && level !== '')
    supports.push({ kmod: kmodOfLevel(level), seenAt: `${real}/md/level: ${level}` });
  return [...supports, ...(await transportOf(files, real))];
}

/** The kmod that speaks to a disk's controller where no driver link says it: SCSI hosts without a device, NVMe over a network or Fibre Channel. */
async function transportOf(files: HostFiles, real: string): Promise<Support[]> {
  const supports: Support[] = [];
  const host = await scsiHost(files, real);
  if (host !== undefined) supports.push({ kmod: kernelName(host.name), seenAt: host.seenAt });
  const controller = nvmeController(real);
  const transport =
    controller === undefined ? undefined : valueOf(await files.readText(`${controller}/transport`))?.trim();
  if (transport !== undefined && transport !== 'pcie')
    supports.push({ kmod: `nvme_${kernelName(transport)}`, seenAt: `${controller ?? ''}/transport: ${transport}` });
  return supports;
}

/** What the SCSI host that a real folder lies below calls itself: the kmod's name. Undefined: there is none, or it gives no name ("(null)"). */
export async function scsiHost(files: HostFiles, real: string): Promise<{ name: string; seenAt: string } | undefined> {
  const host = ancestor(real, /^host\d+$/);
  if (host === undefined) return undefined;
  const path = `${host}/scsi_host/${baseName(host)}/proc_name`;
  const name = valueOf(await files.readText(path))?.trim();
  return name !== undefined && /^[A-Za-z0-9_-]+$/.test(name) ? { name, seenAt: `${path}: ${name}` } : undefined;
}

/** The folder of the NVMe controller that a real folder is, or lies in. */
export function nvmeController(real: string): string | undefined {
  return ancestor(real, /^nvme\d+$/);
}

/** The nearest folder on the way up whose name fits. */
export function ancestor(real: string, name: RegExp): string | undefined {
  for (let folder = real; folder !== ''; folder = folder.slice(0, folder.lastIndexOf('/')))
    if (name.test(baseName(folder))) return folder;
  return undefined;
}

async function foldersBelow(files: HostFiles, real: string): Promise<string[]> {
  const parent = real.slice(0, real.lastIndexOf('/'));
  const slaves = valueOf(await files.list(`${real}/slaves`)) ?? [];
  const isPartition = (await files.stat(`${real}/partition`)).kind === 'ok';
  const subsystem = /^(.*\/nvme-subsys\d+)(?:\/|$)/.exec(real)?.[1];
  const controllers =
    subsystem === undefined
      ? []
      : (valueOf(await files.list(subsystem)) ?? []).filter((entry) => /^nvme\d+$/.test(entry.name));
  return [
    ...slaves.map((entry) => `${real}/slaves/${entry.name}`),
    ...(isPartition ? [parent] : []),
    ...controllers.map((entry) => `${subsystem}/${entry.name}`),
    ...(await adaptersBelow(files, real)),
  ];
}

/** NVMe over Fibre Channel does not say over which adapter: any may carry it. */
async function adaptersBelow(files: HostFiles, real: string): Promise<string[]> {
  if (nvmeController(real) !== real || valueOf(await files.readText(`${real}/transport`))?.trim() !== 'fc') return [];
  return (valueOf(await files.list('/sys/class/fc_host')) ?? []).map(({ name }) => `/sys/class/fc_host/${name}`);
}

/** Adds what the kmods of a set use themselves: every loaded kmod that names one of them as user. */
export function closeOverUsers(
  supports: readonly Support[],
  modules: readonly { readonly name: string; readonly users: readonly string[] }[],
): Support[] {
  const closed = [...supports];
  const known = new Set(supports.map((support) => support.kmod));
  for (let before = -1; before !== known.size;) {
    before = known.size;
    for (const { name, users } of modules) {
      const user = known.has(name) ? undefined : users.find((one) => known.has(one));
      if (user === undefined) continue;
      known.add(name);
      closed.push({ kmod: name, seenAt: `/proc/modules: ${user} uses ${name}` });
    }
  }
  return closed;
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
