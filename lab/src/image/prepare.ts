import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveFastRoot, resolveFullRoot } from '../debian/resolve-packages.ts';
import { FULL_ROOT_PACKAGES } from '../debian/package-groups.ts';
import { labPaths } from '../lab-paths.ts';
import { runProgram } from '../run-program.ts';
import { type HostKind, type KernelSeries, type Progress, silent } from '../types.ts';
import { LabError } from '../lab-error.ts';
import { cachedFolder } from './cached.ts';
import { folderContents } from './content-key.ts';
import { dmInitrdFile } from './dm-initrd.ts';
import { ext4Image } from './ext4.ts';
import { fastBase, installFast } from './fast-root.ts';
import { fullBase, installFull } from './full-root.ts';
import { installGuestTools } from './guest-tools.ts';
import { initrd } from './initrd.ts';
import { type LabKernel, labKernel } from './kernel.ts';

const RECIPE = 'root 1';

/** Changes with what is done to a base before it becomes a disk. */
const DISK_RECIPE = 'disk 2';

/** Everything that QEMU needs to boot one kind of host on one kernel series; shared read-only between hosts. */
export interface LabImage {
  kind: HostKind;
  series: KernelSeries;
  kernelRelease: string;
  kernel: string;
  initrd: string;
  /** Raw ext4; each host has a copy-on-write overlay over it. */
  rootDisk: string;
  /** A further initramfs archive, built when asked for: with it the root lies on a dm-linear volume. Full kind only. */
  initrdForDm: () => Promise<string>;
}

/** The user space without anything of the lab's own, so that a changed script does not fetch packages again. */
async function baseRoot(kind: HostKind, packages: readonly string[], progress: Progress): Promise<string> {
  if (kind === 'full') {
    const inputs = [RECIPE, await resolveFullRoot(), ...FULL_ROOT_PACKAGES, ...packages];
    return cachedFolder(
      { name: withPackages('base-full', packages), inputs, build: (root) => fullBase(root, packages) },
      progress,
    );
  }
  const files = await resolveFastRoot();
  const inputs = [RECIPE, ...files.map((file) => file.hash)];
  return cachedFolder({ name: 'base-fast', inputs, build: (root) => fastBase(root, files, progress) }, progress);
}

async function rootDisk(
  name: string,
  kind: HostKind,
  base: string,
  kernel: LabKernel,
  guestFiles: readonly string[],
  progress: Progress,
) {
  const build = async (partial: string): Promise<void> => {
    const tree = join(partial, 'tree');
    await runProgram('cp', ['-a', '--reflink=auto', base, tree]);
    await installGuestTools(tree);
    await (kind === 'full' ? installFull(tree) : installFast(tree));
    await runProgram('cp', ['-a', '--reflink=auto', `${kernel.modulesRoot}/lib/modules`, join(tree, 'usr/lib/')]);
    await ext4Image(tree, join(partial, 'root.ext4'), { journal: kind === 'full' });
    await rm(tree, { recursive: true });
  };
  const inputs = [DISK_RECIPE, base, kernel.modulesRoot, process.version, ...guestFiles];
  const folder = await cachedFolder({ name, inputs, build }, progress);
  return join(folder, 'root.ext4');
}

/** `lab clean` keeps the newest of each name: images with more packages do not push out those without. */
const withPackages = (name: string, packages: readonly string[]): string =>
  packages.length === 0 ? name : `${name}-and-${packages.length}-more`;

/**
 * The image of one kind on one series, built as far as the cache does not have it. The first build takes about a minute.
 *
 * @param packages Debian packages (full kind only) besides those that every full host has; each other list is another image
 */
export async function labImage(
  kind: HostKind,
  series: KernelSeries,
  progress: Progress = silent,
  packages: readonly string[] = [],
): Promise<LabImage> {
  if (kind === 'fast' && packages.length > 0)
    throw new LabError('Only full lab hosts have Debian packages of their own (kind "full").');
  const guestFiles = await folderContents(labPaths.guestFiles);
  const kernel = await labKernel(series, await folderContents(labPaths.kmodSources), progress);
  const base = await baseRoot(kind, packages, progress);
  const early = await cachedFolder(
    initrd(kind, kernel, join(base, 'usr/bin/busybox'), guestFiles.join('\n')),
    progress,
  );
  return {
    kind,
    series,
    kernelRelease: kernel.release,
    kernel: kernel.image,
    initrd: join(early, 'initrd.cpio'),
    rootDisk: await rootDisk(withPackages(`disk-${kind}`, packages), kind, base, kernel, guestFiles, progress),
    initrdForDm: (): Promise<string> => dmInitrdFile(kernel, base, progress),
  };
}
