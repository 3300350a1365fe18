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

/** md levels and the kmod of each (drivers/md). */
const MD_LEVEL: Readonly<Record<string, string>> = { raid4: 'raid456', raid5: 'raid456', raid6: 'raid456' };

/** The kmods that a block device stands on, through partitions, device-mapper, md, loop files' devices and multipath, down to its buses. */
export async function supportsOfBlock(
  files: HostFiles,
  folder: string,
  tables: DmTables,
  depth = 0,
): Promise<Support[]> {
  const real = valueOf(await files.realPath(folder));
  if (real === undefined || depth > MAX_DEPTH) return [];
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
    supports.push({ kmod: MD_LEVEL[level] ?? kernelName(level), seenAt: `${real}/md/level: ${level}` });
  for (const below of await foldersBelow(files, real))
    supports.push(...(await supportsOfBlock(files, below, tables, depth + 1)));
  return supports;
}

/** What a virtual block device lies on: its slaves, those of the disk that it is a partition of, and the controllers of a multipath disk. */
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
  ];
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
