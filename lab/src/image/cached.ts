import { access, mkdir, rename, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { labPaths } from '../lab-paths.ts';
import { withPidLock } from '../pid-lock.ts';
import type { Progress } from '../types.ts';
import { contentKey } from './content-key.ts';

/** Nobody waits longer than this without a word, in ms. */
const HEARTBEAT_MS = 2000;

/** One thing in the cache: a folder that `build` fills. The same name and inputs are built once. */
export interface CachedFolder {
  name: string;
  inputs: readonly string[];
  build: (folder: string) => Promise<void>;
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/**
 * Gives the folder of `item` in the cache, building it when it is not there.
 * INVARIANTS: a folder under its final name is complete (built beside, then renamed); two processes never build the same one.
 */
export async function cachedFolder(item: CachedFolder, progress: Progress): Promise<string> {
  const final = join(labPaths.cache, `${item.name}-${contentKey([item.name, ...item.inputs])}`);
  if (await exists(final)) {
    const now = new Date();
    await utimes(final, now, now); // `lab clean` goes by this
    return final;
  }
  return withPidLock(
    `${final}.lock`,
    () => progress(`${item.name}: another process is building it, waiting`),
    async () => {
      if (await exists(final)) return final;
      progress(`${item.name}: building`);
      const started = performance.now();
      const partial = `${final}.partial`;
      await rm(partial, { recursive: true, force: true });
      await mkdir(partial, { recursive: true });
      const heartbeat = setInterval(() => {
        progress(`${item.name}: still building, ${((performance.now() - started) / 1000).toFixed(0)} s`);
      }, HEARTBEAT_MS);
      await item.build(partial).finally(() => clearInterval(heartbeat));
      await rename(partial, final);
      progress(`${item.name}: built in ${((performance.now() - started) / 1000).toFixed(1)} s`);
      return final;
    },
  );
}
