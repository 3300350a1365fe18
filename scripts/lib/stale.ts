import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheFolder, repository } from './paths.ts';

const SKIPPED = new Set(['node_modules', 'dist', 'gen', 'generated', 'testdata']);

function addTree(hash: ReturnType<typeof createHash>, path: string): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isDirectory()) {
    hash.update(path).update(readFileSync(path));
    return;
  }
  for (const name of readdirSync(path).sort()) {
    if (!SKIPPED.has(name)) addTree(hash, join(path, name));
  }
}

/** SHA-256 over the content of files and folders (relative to the repository), without what is generated. */
export function contentHash(paths: readonly string[]): string {
  const hash = createHash('sha256');
  for (const path of paths) addTree(hash, join(repository, path));
  return hash.digest('hex');
}

/**
 * Runs `work` unless it ran before with the same inputs and its outputs are still there. Comparing contents, not times: a git checkout
 * changes times only.
 *
 * @returns whether it ran
 */
export async function whenStale(
  name: string,
  inputs: readonly string[],
  outputs: readonly string[],
  work: () => Promise<void>,
): Promise<boolean> {
  const stamp = join(cacheFolder, 'stamps', name);
  const wanted = contentHash(inputs);
  const present = outputs.every((output) => existsSync(join(repository, output)));
  if (present && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return false;
  await work();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
  return true;
}
