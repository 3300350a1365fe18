import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { exists } from '../image/cached.ts';
import { LabError } from '../lab-error.ts';
import { labPaths } from '../lab-paths.ts';
import { runProgram } from '../run-program.ts';
import type { Progress } from '../types.ts';
import type { PackageFile } from './package-groups.ts';

/** `name_1.2-3_amd64.deb` is what apt calls `name=1.2-3` (a colon in the version is written %3a). */
export function aptSpecifier(file: string): string {
  const [name, version] = file.replace(/\.deb$/, '').split('_');
  return `${name}=${decodeURIComponent(version ?? '')}`;
}

/** Brings package files into the cache through apt (which checks their signatures); gives their paths in the same order. */
export async function downloadPackages(files: readonly PackageFile[], progress: Progress): Promise<string[]> {
  const folder = join(labPaths.cache, 'debs');
  await mkdir(folder, { recursive: true });
  const target = (file: string): string => join(folder, file);
  const present = await Promise.all(files.map((file) => exists(target(file.file))));
  const missing = files.filter((_, index) => !present[index]);
  if (missing.length > 0) {
    progress(`downloading ${missing.map((file) => file.file.split('_')[0]).join(' ')}`);
    const partial = await mkdtemp(join(folder, 'download-'));
    try {
      // apt would drop to its own user, which cannot write here.
      const args = [
        '-q',
        '-o',
        'APT::Sandbox::User=root',
        'download',
        ...missing.map((file) => aptSpecifier(file.file)),
      ];
      await runProgram('apt-get', args, { cwd: partial });
      for (const file of missing) await rename(join(partial, file.file), target(file.file));
    } catch (cause) {
      throw new LabError(
        'Debian packages could not be downloaded. When they were replaced by newer ones: apt-get update (as root), then npm run lab -- build --update',
        { cause },
      );
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
  }
  return files.map((file) => target(file.file));
}

/** Unpacks packages over each other into one folder; runs none of their scripts. */
export async function unpackPackages(paths: readonly string[], folder: string): Promise<void> {
  for (const path of paths) await runProgram('dpkg-deb', ['-x', path, folder]);
}
