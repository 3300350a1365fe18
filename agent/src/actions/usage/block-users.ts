import type { Evidence } from '@modfleet/proto';
import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import { evidence } from '../findings/facts.ts';
import { kmodOfLevel } from '../protection/device-chain.ts';
import { type DmTables, kmodOfTarget } from './dm-tables.ts';

/** Block devices that this kmod made and that something is behind: loop files, nbd servers, device-mapper volumes, arrays. */
export async function blockUsers(files: HostFiles, kmod: string, tables: DmTables): Promise<Evidence[]> {
  const names = (valueOf(await files.list('/sys/block')) ?? []).map((entry) => entry.name);
  const found = await Promise.all(
    names.map(async (name): Promise<Evidence[]> => {
      if (name.startsWith('loop') && kmod === 'loop') return backingFile(files, name);
      if (name.startsWith('nbd') && kmod === 'nbd') return server(files, name);
      if (name.startsWith('dm-')) return volume(files, name, kmod, tables);
      if (name.startsWith('md')) return array(files, name, kmod);
      return [];
    }),
  );
  return found.flat();
}

async function backingFile(files: HostFiles, name: string): Promise<Evidence[]> {
  const file = valueOf(await files.readText(`/sys/block/${name}/loop/backing_file`))?.trim();
  return file === undefined ? [] : [evidence('block', `/dev/${name}: ${file}`)];
}

async function server(files: HostFiles, name: string): Promise<Evidence[]> {
  const pid = valueOf(await files.readText(`/sys/block/${name}/pid`))?.trim();
  return pid === undefined ? [] : [evidence('process', `${pid} serves /dev/${name}`)];
}

async function volume(files: HostFiles, name: string, kmod: string, tables: DmTables): Promise<Evidence[]> {
  const volumeName = valueOf(await files.readText(`/sys/block/${name}/dm/name`))?.trim() ?? name;
  const kinds = tables?.get(volumeName) ?? [];
  if (kmod !== 'dm_mod' && !kinds.some((kind) => kmodOfTarget(kind) === kmod)) return [];
  return [evidence('block', `/dev/mapper/${volumeName}${kinds.length === 0 ? '' : ` (${kinds.join(', ')})`}`)];
}

async function array(files: HostFiles, name: string, kmod: string): Promise<Evidence[]> {
  const level = valueOf(await files.readText(`/sys/block/${name}/md/level`))?.trim();
  if (level === undefined || level === '') return [];
  return kmod === 'md_mod' || kmod === kmodOfLevel(level) ? [evidence('block', `/dev/${name}: ${level}`)] : [];
}
