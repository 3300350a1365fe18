import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, listRecords, removeDead } from '../host/run-folder.ts';
import { LabError } from '../lab-error.ts';
import { labPaths } from '../lab-paths.ts';
import type { Progress } from '../types.ts';

/** Names in the cache are NAME-KEY; of the same NAME only the most recently used stays. */
const KEYED = /^(?<name>.+)-[0-9a-f]{12}$/;

/** Of `name-key` folders with their times of last use: those that a newer one of the same name and kernel has replaced. */
export function outdated(folders: readonly { path: string; name: string; usedAt: number }[], keep: number): string[] {
  const byName = Map.groupBy(folders, (folder) => KEYED.exec(folder.name)?.groups?.['name'] ?? folder.name);
  return [...byName.values()].flatMap((same) =>
    same
      .toSorted((a, b) => b.usedAt - a.usedAt)
      .slice(keep)
      .map((folder) => folder.path),
  );
}

/** One disk and one initrd for each of the two kernel series, one user space and kernel a name. */
const KEEP = 2;

/** Removes what nobody needs any more; `all`: also every image and package, which the next build fetches again. */
export async function clean(all: boolean, progress: Progress): Promise<void> {
  for (const name of await removeDead()) progress(`removed what the dead host ${name} left`);
  if (all) {
    const alive = (await listRecords()).filter(isAlive);
    if (alive.length > 0)
      throw new LabError(
        `Lab hosts run on these images: ${alive.map((host) => host.name).join(', ')}. End them first.`,
      );
    await rm(labPaths.cache, { recursive: true, force: true });
    progress(`removed ${labPaths.cache}`);
    return;
  }
  const names = (await readdir(labPaths.cache).catch(() => [])).filter(
    (name) => KEYED.test(name) && !name.startsWith('accelerator-'),
  );
  const folders = await Promise.all(
    names.map(async (name) => {
      const path = join(labPaths.cache, name);
      return { path, name, usedAt: (await stat(path)).mtimeMs };
    }),
  );
  for (const path of outdated(folders, KEEP)) {
    await rm(path, { recursive: true, force: true });
    progress(`removed ${path}`);
  }
}
