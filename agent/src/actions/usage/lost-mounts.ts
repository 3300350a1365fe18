import type { Evidence } from '@modfleet/proto';
import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import type { KmodAlias } from '../../kmod/index-parsers.ts';
import { evidence } from '../findings/facts.ts';
import { commandOf, isHidden, type Processes } from './processes.ts';

/**
 * Files that are open on a file system which no mount table has any more (unmounted lazily: `umount -l`). It counts as one reference, and no table
 * has it: only the mount id of an open file, which none knows, tells. Mount ids are the kernel's, not a namespace's: a file may have been passed on
 * from another mount namespace. Asked only of file systems, and only where no mount explains them.
 */
export async function lostMounts(
  files: HostFiles,
  kmod: string,
  aliases: readonly KmodAlias[],
  processes: Processes,
): Promise<Evidence[]> {
  if (!aliases.some((alias) => alias.kmod === kmod && alias.pattern.startsWith('fs_'))) return [];
  const { ids, complete } = await knownMounts(files, processes);
  const where = complete ? 'that is mounted nowhere' : 'that no mount table seen here has; not every one can be read';
  const found: Evidence[] = [];
  for (const { pid } of processes.seen) {
    for (const { name } of valueOf(await files.list(`/proc/${pid}/fd`)) ?? []) {
      const path = valueOf(await files.readLink(`/proc/${pid}/fd/${name}`));
      // Pipes, sockets and the like live on mounts that no table ever has.
      if (path === undefined || !path.startsWith('/') || path.startsWith('/memfd:')) continue;
      const info = valueOf(await files.readText(`/proc/${pid}/fdinfo/${name}`)) ?? '';
      const mount = /^mnt_id:\s*(\d+)/m.exec(info)?.[1];
      if (mount === undefined || ids.has(mount)) continue;
      const command = await commandOf(files, pid);
      found.push(evidence('process', `${pid} (${command}) has ${path} open on a file system ${where}`));
    }
  }
  return found;
}

/** A mount namespace that a mount keeps (`unshare --mount=FILE`), in mountinfo's field of the root (proc(5)). */
const PINNED = /^\d+ \d+ \S+ (mnt:\[\d+\]) /;

/** The mount ids of all mount namespaces with a process, each read once; those of a process whose namespace is not to be seen, by itself. */
async function knownMounts(
  files: HostFiles,
  { seen, allSeen }: Processes,
): Promise<{ readonly ids: ReadonlySet<string>; readonly complete: boolean }> {
  const ids = new Set<string>();
  const read = new Set<string>();
  const pinned = new Set<string>();
  let complete = allSeen;
  for (const { pid, mountNamespace } of seen) {
    if (mountNamespace !== undefined && read.has(mountNamespace)) continue;
    const table = await files.readText(`/proc/${pid}/mountinfo`);
    if (table.kind !== 'ok') {
      if (isHidden(table)) complete = false;
      continue;
    }
    if (mountNamespace !== undefined) read.add(mountNamespace);
    for (const line of table.value.split('\n')) {
      ids.add(line.split(' ')[0] ?? '');
      const namespace = PINNED.exec(line)?.[1];
      if (namespace !== undefined) pinned.add(namespace);
    }
  }
  // One without a process has a table that nobody shows.
  return { ids, complete: complete && [...pinned].every((namespace) => read.has(namespace)) };
}
