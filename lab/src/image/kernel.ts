import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { downloadPackages, unpackPackages } from '../debian/download.ts';
import { type KernelPackages, resolveKernel } from '../debian/resolve-packages.ts';
import { LabError } from '../lab-error.ts';
import { runProgram } from '../run-program.ts';
import type { KernelSeries, Progress } from '../types.ts';
import { cachedFolder } from './cached.ts';
import { buildKmods } from './kmods.ts';
import { elfKernel } from './vmlinux.ts';

/** Change it when the way of building changes while its inputs do not. */
const RECIPE = 'kernel 1';

/** A kernel that QEMU can start, with its kmods and the lab's own. */
export interface LabKernel {
  release: string;
  /** bzImage or ELF, whichever starts sooner. */
  image: string;
  /** A folder with lib/modules/RELEASE in it, depmod done. */
  modulesRoot: string;
}

async function bootImage(unpacked: string, release: string, target: string): Promise<void> {
  const bzImage = await readFile(join(unpacked, 'boot', `vmlinuz-${release}`));
  await writeFile(target, elfKernel(bzImage) ?? bzImage);
}

/** Headers refer to each other by absolute paths below /usr/src: made to fit the folder they were unpacked to. */
async function relocateHeaders(unpacked: string, release: string): Promise<string> {
  const headers = join(unpacked, 'usr/src', `linux-headers-${release}`);
  const makefile = join(headers, 'Makefile');
  const text = await readFile(makefile, 'utf8');
  if (!text.includes('include /usr/src/'))
    throw new LabError(`${makefile} is not the one line that Debian's headers have`);
  await writeFile(makefile, text.replace('include /usr/src/', `include ${join(unpacked, 'usr/src')}/`));
  return headers;
}

async function build(folder: string, kernel: KernelPackages, progress: Progress): Promise<void> {
  const unpacked = join(folder, 'unpacked');
  await mkdir(unpacked);
  await unpackPackages(await downloadPackages(kernel.files, progress), unpacked);
  await bootImage(unpacked, kernel.release, join(folder, 'kernel'));
  const modulesRoot = join(folder, 'modules');
  await mkdir(join(modulesRoot, 'lib'), { recursive: true });
  await rename(join(unpacked, 'lib/modules'), join(modulesRoot, 'lib/modules'));
  const tree = join(modulesRoot, 'lib/modules', kernel.release);
  for (const link of ['build', 'source']) await rm(join(tree, link), { force: true });
  const kmods = await buildKmods(await relocateHeaders(unpacked, kernel.release), progress);
  await cp(kmods, join(tree, 'extra'), { recursive: true });
  await runProgram('depmod', ['-b', modulesRoot, kernel.release]);
  const extra = await readdir(join(tree, 'extra'));
  progress(`kernel ${kernel.release}: ${extra.length} test kmods in /lib/modules/${kernel.release}/extra`);
  await rm(unpacked, { recursive: true });
}

/** The newest Debian cloud kernel of a series, fetched and built as needed. */
export async function labKernel(
  series: KernelSeries,
  kmodSources: readonly string[],
  progress: Progress,
): Promise<LabKernel> {
  const kernel = await resolveKernel(series);
  const folder = await cachedFolder(
    {
      name: `kernel-${series}`,
      inputs: [RECIPE, kernel.release, ...kernel.files.map((file) => file.hash), ...kmodSources],
      build: (partial) => build(partial, kernel, progress),
    },
    progress,
  );
  return { release: kernel.release, image: join(folder, 'kernel'), modulesRoot: join(folder, 'modules') };
}
