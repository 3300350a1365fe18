import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { folderContents } from '../../../lab/src/image/content-key.ts';
import { labKernel } from '../../../lab/src/image/kernel.ts';
import type { KernelSeries } from '../../../lab/src/lab.ts';
import { labPaths } from '../../../lab/src/lab-paths.ts';

/**
 * A test kmod that is plain in its tree, under another name that is no longer: its file, in base64. The name is where the kernel reads it (`this_module`,
 * `.modinfo`), each time up to a NUL; names of functions go on after it and stay. For `insmod` on a kernel of that series.
 */
export async function renamedKmod(series: KernelSeries, kmod: string, name: string): Promise<string> {
  const { release, modulesRoot } = await labKernel(series, await folderContents(labPaths.kmodSources), () => undefined);
  const file = await readFile(join(modulesRoot, 'lib/modules', release, 'extra', `${kmod}.ko`));
  const [from, to] = [`${kmod}\0`, `${name}\0`.padEnd(kmod.length + 1, '\0')];
  // One byte, one character, and back.
  return Buffer.from(file.toString('latin1').replaceAll(from, to), 'latin1').toString('base64');
}
