import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import { baseName } from './device-chain.ts';

const BLOCK = '/sys/class/block';

/**
 * The sysfs folder of a node below /dev, which need not exist: /dev/mapper/x and /dev/disk/by-* are links, and a process with a /dev of its own
 * has neither. A slash in a device's name is `!` in sysfs (drivers/base/core.c: device_get_devnode).
 */
export async function blockFolderOf(files: HostFiles, node: string): Promise<string> {
  const real = valueOf(await files.realPath(node)) ?? node;
  const volume = /^\/dev\/mapper\/(.+)$/.exec(real)?.[1];
  if (volume !== undefined) return (await folderOfVolume(files, volume)) ?? `${BLOCK}/${volume}`;
  return `${BLOCK}/${real.replace(/^\/dev\//, '').replaceAll('/', '!')}`;
}

/** A device-mapper volume by its name, which has other characters as `\x20` in /dev/mapper. */
async function folderOfVolume(files: HostFiles, volume: string): Promise<string | undefined> {
  const plain = volume.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  for (const { name } of valueOf(await files.list(BLOCK)) ?? []) {
    if (!name.startsWith('dm-')) continue;
    const said = valueOf(await files.readText(`${BLOCK}/${name}/dm/name`))?.trim();
    if (said === volume || said === plain) return `${BLOCK}/${name}`;
  }
  return undefined;
}

/** Whether sysfs has the device that a node stands for. */
export async function isThere(files: HostFiles, folder: string): Promise<boolean> {
  return baseName(folder) !== '' && (await files.realPath(folder)).kind === 'ok';
}
