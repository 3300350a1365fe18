import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveFastRoot } from '../debian/resolve-packages.ts';
import { FULL_ROOT_PACKAGES } from '../debian/package-groups.ts';
import { labPaths } from '../lab-paths.ts';
import { runProgram } from '../run-program.ts';
import { type HostKind, type KernelSeries, type Progress, silent } from '../types.ts';
import { cachedFolder } from './cached.ts';
import { folderContents } from './content-key.ts';
import { ext4Image } from './ext4.ts';
import { fastRoot } from './fast-root.ts';
import { fullRoot } from './full-root.ts';
import { initrd } from './initrd.ts';
import { type LabKernel, labKernel } from './kernel.ts';

const RECIPE = 'root 1';

/** Everything that QEMU needs to boot one kind of host on one kernel series; shared read-only between hosts. */
export interface LabImage {
  kind: HostKind;
  series: KernelSeries;
  kernelRelease: string;
  kernel: string;
  initrd: string;
  /** Raw ext4; each host has a copy-on-write overlay over it. */
  rootDisk: string;
}

async function userSpace(kind: HostKind, guestFiles: readonly string[], progress: Progress): Promise<string> {
  const packages = await resolveFastRoot();
  const inputs = [RECIPE, process.version, ...guestFiles];
  if (kind === 'fast') {
    const hashes = packages.map((file) => file.hash);
    return cachedFolder(
      { name: 'user-space-fast', inputs: [...inputs, ...hashes], build: (root) => fastRoot(root, packages, progress) },
      progress,
    );
  }
  return cachedFolder(
    { name: 'user-space-full', inputs: [...inputs, ...FULL_ROOT_PACKAGES], build: (root) => fullRoot(root) },
    progress,
  );
}

async function rootDisk(kind: HostKind, root: string, kernel: LabKernel, progress: Progress): Promise<string> {
  const folder = await cachedFolder(
    {
      name: `disk-${kind}`,
      inputs: [RECIPE, root, kernel.modulesRoot],
      build: async (partial) => {
        const tree = join(partial, 'tree');
        await runProgram('cp', ['-a', '--reflink=auto', root, tree]);
        await runProgram('cp', ['-a', `${kernel.modulesRoot}/lib/modules`, join(tree, 'usr/lib/')]);
        await ext4Image(tree, join(partial, 'root.ext4'), { journal: kind === 'full' });
        await rm(tree, { recursive: true });
      },
    },
    progress,
  );
  return join(folder, 'root.ext4');
}

/** The image of one kind on one series, built as far as the cache does not have it. The first build takes about a minute. */
export async function labImage(kind: HostKind, series: KernelSeries, progress: Progress = silent): Promise<LabImage> {
  const guestFiles = await folderContents(labPaths.guestFiles);
  const kernel = await labKernel(series, await folderContents(labPaths.kmodSources), progress);
  const root = await userSpace(kind, guestFiles, progress);
  const early = await cachedFolder(
    initrd(kind, kernel, join(root, 'usr/bin/busybox'), guestFiles.join('\n')),
    progress,
  );
  return {
    kind,
    series,
    kernelRelease: kernel.release,
    kernel: kernel.image,
    initrd: join(early, 'initrd.cpio'),
    rootDisk: await rootDisk(kind, root, kernel, progress),
  };
}
