import type { HostFiles, ReadOutcome } from '../host/host-files.ts';
import { mapOutcome } from '../host/read-outcome.ts';

/** Where distributions keep kmods; the first that exists (libkmod: kmod_new, `get_kernel_release`). */
const MODULE_FOLDERS = ['/lib/modules', '/usr/lib/modules'] as const;

/** The running kernel's release, as `uname -r`. */
export async function readKernelRelease(files: HostFiles): Promise<ReadOutcome<string>> {
  return mapOutcome(await files.readText('/proc/sys/kernel/osrelease'), (text) => text.trim());
}

/** The host's path of a kmod file, from what modules.dep says of it: a path below the folder, or an absolute one of a file elsewhere. */
export function kmodFilePath(folder: string, path: string): string {
  return path.startsWith('/') ? path : `${folder}/${path}`;
}

/** The folder of a release's kmods, for example /lib/modules/6.1.0-56-amd64. */
export async function findModulesFolder(files: HostFiles, release: string): Promise<ReadOutcome<string>> {
  let worst: ReadOutcome<string> = { kind: 'not_found' };
  for (const folder of MODULE_FOLDERS) {
    const path = `${folder}/${release}`;
    const found = await files.stat(path);
    if (found.kind === 'ok') return { kind: 'ok', value: path };
    if (found.kind !== 'not_found') worst = found;
  }
  return worst;
}
