import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { labPaths } from '../lab-paths.ts';
import { runProgram } from '../run-program.ts';
import type { HostKind } from '../types.ts';
import type { CachedFolder } from './cached.ts';
import { cpioArchive, cpioEntries, type CpioFile } from './cpio.ts';
import type { LabKernel } from './kernel.ts';
import { loadOrder } from './modules-dep.ts';

const RECIPE = 'initrd 1';

/**
 * What a kernel must have loaded before it sees its root disk; where they are built in they are left out. The fast kind has no
 * udev, so it gets its network driver here too: one modprobe from the disk costs 0.4 s (measured: libcrypto), this one 0.1 s.
 */
const EARLY_KMODS = {
  fast: ['virtio_pci', 'virtio_blk', 'virtio_net'],
  full: ['virtio_pci', 'virtio_blk'],
} satisfies Record<HostKind, string[]>;

async function plainKmod(path: string, scratch: string): Promise<Buffer> {
  const content = await readFile(path);
  if (!path.endsWith('.xz')) return content;
  const copy = join(scratch, 'early.ko.xz');
  await writeFile(copy, content);
  await runProgram('xz', ['-d', '-f', copy]);
  return readFile(join(scratch, 'early.ko'));
}

/** The unpacked files of some kmods by file name, in load order; what is built in is left out. */
export async function earlyKmods(
  kernel: LabKernel,
  names: readonly string[],
  scratch: string,
): Promise<Map<string, Buffer>> {
  const tree = join(kernel.modulesRoot, 'lib/modules', kernel.release);
  const found = new Map<string, Buffer>();
  for (const path of loadOrder(await readFile(join(tree, 'modules.dep'), 'utf8'), names)) {
    const name = (path.split('/').at(-1) ?? path).replace(/\.xz$/, '');
    found.set(name, await plainKmod(join(tree, path), scratch));
  }
  return found;
}

/** The small initramfs that finds the root disk: busybox, two or so kmods, one script.  */
export function initrd(kind: HostKind, kernel: LabKernel, busybox: string, initScript: string): CachedFolder {
  return {
    name: `initrd-${kind}`,
    inputs: [RECIPE, kernel.image, busybox, initScript],
    build: async (folder) => {
      const files = new Map<string, CpioFile>();
      files.set('init', { content: await readFile(join(labPaths.guestFiles, 'initramfs-init')), mode: 0o755 });
      files.set('bin/busybox', { content: await readFile(busybox), mode: 0o755 });
      const kmods = await earlyKmods(kernel, EARLY_KMODS[kind], folder);
      for (const [name, content] of kmods) files.set(`early/${name}`, { content, mode: 0o644 });
      files.set('early/order', { content: Buffer.from(`${[...kmods.keys()].join('\n')}\n`), mode: 0o644 });
      await copyFile(busybox, join(folder, 'busybox'));
      const folders = ['dev', 'proc', 'sys', 'root'].map((path) => ({
        path,
        mode: 0o040755,
        content: new Uint8Array(),
      }));
      await writeFile(join(folder, 'initrd.cpio'), cpioArchive([...folders, ...cpioEntries(files)]));
    },
  };
}
