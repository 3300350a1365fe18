import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Digest over an ordered list of texts; the lengths are part of it, so ['ab','c'] and ['a','bc'] differ. 12 hex digits. */
export function contentKey(inputs: readonly string[]): string {
  const hash = createHash('sha256');
  for (const input of inputs) hash.update(`${Buffer.byteLength(input)}:${input}`);
  return hash.digest('hex').slice(0, 12);
}

/** Names and contents of all files below a folder, sorted by name: an input for contentKey. */
export async function folderContents(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const contents = await Promise.all(
    names.toSorted().map(async (name) => [name.slice(folder.length), await readFile(name, 'utf8')]),
  );
  return contents.flat();
}
