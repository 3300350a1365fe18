import type { HostEntry, HostFiles } from '../host/host-files.ts';
import { whyUnreadable } from '../host/read-outcome.ts';

/** Where modprobe looks, higher folders first: a file hides those of the same name below (modprobe.d(5)). */
export const MODPROBE_FOLDERS = [
  '/etc/modprobe.d',
  '/run/modprobe.d',
  '/usr/local/lib/modprobe.d',
  '/usr/lib/modprobe.d',
  '/lib/modprobe.d',
] as const;

/** One file to read, in the order in which the tool reads it. */
export interface ConfigFile {
  readonly path: string;
  readonly text: string;
}

/** Files in reading order, and what stood in the way, one sentence each. */
export interface ConfigFiles {
  readonly files: readonly ConfigFile[];
  readonly unreadable: readonly string[];
}

/**
 * The `*.conf` files of several folders in the order of their names, whatever the folder; of equal names the one in the higher folder.
 * A link to /dev/null hides by being empty. Names with a leading dot and names without `.conf` are ignored, as modprobe does silently.
 * `extra` files take part in the order by their base name.
 */
export async function readConfigFiles(
  files: HostFiles,
  folders: readonly string[],
  extra: readonly string[] = [],
): Promise<ConfigFiles> {
  const unreadable: string[] = [];
  const byName = new Map<string, string>();
  for (const folder of folders) {
    const listed = await files.list(folder);
    if (listed.kind !== 'ok') {
      if (listed.kind !== 'not_found') unreadable.push(whyUnreadable(folder, listed));
      continue;
    }
    for (const entry of listed.value.filter(isConfigFile)) {
      if (!byName.has(entry.name)) byName.set(entry.name, `${folder}/${entry.name}`);
    }
  }
  for (const path of extra) byName.set(path.slice(path.lastIndexOf('/') + 1), path);
  const found: ConfigFile[] = [];
  for (const name of [...byName.keys()].sort(byBytes)) {
    const path = byName.get(name) ?? name;
    const text = await readOne(files, path);
    if (text.kind === 'ok') found.push({ path, text: text.value });
    else if (text.kind !== 'not_found') unreadable.push(whyUnreadable(path, text));
  }
  return { files: found, unreadable };
}

async function readOne(files: HostFiles, path: string): ReturnType<HostFiles['readText']> {
  const real = await files.realPath(path);
  return real.kind === 'ok' && real.value === '/dev/null' ? { kind: 'ok', value: '' } : files.readText(path);
}

function isConfigFile(entry: HostEntry): boolean {
  return entry.kind !== 'directory' && entry.name.endsWith('.conf') && !entry.name.startsWith('.');
}

/** strcmp order. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
