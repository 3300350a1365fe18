import { createHash } from 'node:crypto';
import type { HostFiles, ReadOutcome } from '../host/host-files.ts';
import { parseModulesDep } from '../kmod/index-parsers.ts';
import { kmodFilePath } from '../kmod/modules-dir.ts';

/** depmod's index files that say what a kmod is; missing ones count as missing. The first two must be there. */
const INDEX_FILES = [
  'modules.dep',
  'modules.builtin',
  'modules.alias',
  'modules.softdep',
  'modules.weakdep',
  'modules.builtin.modinfo',
] as const;

/** Part of the digest: a change of the way it is made changes every digest. */
const DIGEST_FORM = 'modfleet available 1';

/** What tells that the index was not written again: size and time of each file. Cheap: six stats. */
export async function indexStamp(files: HostFiles, folder: string): Promise<string> {
  const stats = await Promise.all(INDEX_FILES.map((name) => files.stat(`${folder}/${name}`)));
  return stats.map((stat) => (stat.kind === 'ok' ? `${stat.value.size}@${stat.value.mtimeMs}` : stat.kind)).join(' ');
}

/**
 * SHA-256 over the release, the index files (lines sorted: depmod's order has no meaning between lines) and the size of each kmod file. No
 * kmod is opened. Sizes are part of it because distributions rebuild a kernel under the same release with an equal index; times are not,
 * because equal hosts would differ.
 */
export async function availableDigest(
  files: HostFiles,
  release: string,
  folder: string,
): Promise<ReadOutcome<Uint8Array>> {
  const hash = createHash('sha256').update(`${DIGEST_FORM}\n${release}\n`);
  let dep = '';
  for (const name of INDEX_FILES) {
    const read = await files.readBytes(`${folder}/${name}`);
    if (read.kind !== 'ok' && (read.kind !== 'not_found' || name === 'modules.dep' || name === 'modules.builtin'))
      return read;
    const bytes = read.kind === 'ok' ? Buffer.from(read.value) : undefined;
    if (name === 'modules.dep') dep = bytes?.toString('utf8') ?? '';
    const content = bytes === undefined ? 'missing' : sortedRecords(bytes, name.endsWith('.modinfo') ? '\0' : '\n');
    hash.update(`${name} ${Buffer.byteLength(content)}\n`).update(content);
  }
  const paths = [...parseModulesDep(dep).values()].map((file) => file.path).sort();
  const stats = await files.statMany(paths.map((path) => kmodFilePath(folder, path)));
  const sizes = stats.map((stat, index) => `${paths[index]} ${stat.kind === 'ok' ? stat.value.size : stat.kind}\n`);
  return { kind: 'ok', value: hash.update(sizes.join('')).digest() };
}

function sortedRecords(bytes: Buffer, separator: string): string {
  return bytes.toString('utf8').split(separator).sort().join(separator);
}
