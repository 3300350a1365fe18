import type { HostFiles, ReadOutcome } from '../host/host-files.ts';
import { mapOutcome, valueOf } from '../host/read-outcome.ts';
import { parseBuildId } from './build-id.ts';

/** One folder for each loaded kmod, and for some code that is built in. */
export const SYS_MODULE = '/sys/module';

/** What sysfs adds to a line of /proc/modules; each part undefined where it is not there or cannot be read. */
export interface SysModuleIdentity {
  /** GNU build id, lower-case hex. */
  readonly buildId: string | undefined;
  /** Only where the source declares a version. */
  readonly srcversion: string | undefined;
  readonly version: string | undefined;
}

/** One parameter's present value, or why there is none. */
export type SysParameter =
  | { readonly name: string; readonly kind: 'value'; readonly value: string }
  | { readonly name: string; readonly kind: 'unreadable'; readonly reason: string };

/** What tells this build of a loaded kmod from another. */
export async function readSysModuleIdentity(files: HostFiles, name: string): Promise<SysModuleIdentity> {
  const folder = `${SYS_MODULE}/${name}`;
  const [note, srcversion, version] = await Promise.all([
    files.readBytes(`${folder}/notes/.note.gnu.build-id`),
    readLine(files, `${folder}/srcversion`),
    readLine(files, `${folder}/version`),
  ]);
  return {
    buildId: note.kind === 'ok' ? parseBuildId(note.value) : undefined,
    srcversion: valueOf(srcversion),
    version: valueOf(version),
  };
}

/** The present values of a kmod's visible parameters, sorted by name; none for a kmod without any. */
export async function readSysParameters(files: HostFiles, name: string): Promise<ReadOutcome<readonly SysParameter[]>> {
  const folder = `${SYS_MODULE}/${name}/parameters`;
  const entries = await files.list(folder);
  if (entries.kind === 'not_found') return { kind: 'ok', value: [] };
  if (entries.kind !== 'ok') return entries;
  return {
    kind: 'ok',
    value: await Promise.all(entries.value.map((entry) => readParameter(files, folder, entry.name))),
  };
}

async function readParameter(files: HostFiles, folder: string, name: string): Promise<SysParameter> {
  const read = await files.readText(`${folder}/${name}`);
  if (read.kind === 'ok') return { name, kind: 'value', value: read.value.replace(/\n$/, '') };
  if (read.kind === 'denied') {
    // Mode 0200 cannot be read by root either; the mode is not asked for, as only root would see the difference.
    return { name, kind: 'unreadable', reason: 'permission denied, or write-only' };
  }
  return {
    name,
    kind: 'unreadable',
    reason: read.kind === 'not_found' ? 'gone while reading' : `cannot be read (${read.errno})`,
  };
}

async function readLine(files: HostFiles, path: string): Promise<ReadOutcome<string>> {
  return mapOutcome(await files.readText(path), (text) => text.trim());
}
