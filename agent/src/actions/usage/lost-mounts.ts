import type { Evidence } from '@modfleet/proto';
import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import type { KmodAlias } from '../../kmod/index-parsers.ts';
import { evidence } from '../findings/facts.ts';
import { commandOf, type Processes } from './processes.ts';

/**
 * Files that are open on a file system which is mounted nowhere any more (unmounted lazily: `umount -l`). It counts as one reference, and no mount
 * table has it: only the mount id of an open file, which no table knows, tells. Asked only of file systems, and only where no mount explains them.
 */
export async function lostMounts(
  files: HostFiles,
  kmod: string,
  aliases: readonly KmodAlias[],
  processes: Processes,
): Promise<Evidence[]> {
  if (!aliases.some((alias) => alias.kmod === kmod && alias.pattern.startsWith('fs_'))) return [];
  const found: Evidence[] = [];
  for (const { pid } of processes.seen) {
    const known = new Set(
      (valueOf(await files.readText(`/proc/${pid}/mountinfo`)) ?? '').split('\n').map((line) => line.split(' ')[0]),
    );
    for (const { name } of valueOf(await files.list(`/proc/${pid}/fd`)) ?? []) {
      const path = valueOf(await files.readLink(`/proc/${pid}/fd/${name}`));
      // Pipes, sockets and the like live on mounts that no table ever has.
      if (path === undefined || !path.startsWith('/') || path.startsWith('/memfd:')) continue;
      const info = valueOf(await files.readText(`/proc/${pid}/fdinfo/${name}`)) ?? '';
      const mount = /^mnt_id:\s*(\d+)/m.exec(info)?.[1];
      if (mount === undefined || known.has(mount)) continue;
      const command = await commandOf(files, pid);
      found.push(evidence('process', `${pid} (${command}) has ${path} open on a file system that is mounted nowhere`));
    }
  }
  return found;
}
