import { BlockRung, type KmodBlock } from '@modfleet/proto';
import type { HostFiles } from '../host/host-files.ts';

/** Where distributions keep the boot image of a release: Debian and Ubuntu, Red Hat, SUSE. */
const BOOT_IMAGES = ['initrd.img-', 'initramfs-*.img', 'initrd-'] as const;

/** Rungs that are lines of modprobe.d, of which the boot image holds a copy of its own. */
const COPIED_RUNGS: ReadonlySet<BlockRung> = new Set([
  BlockRung.BLOCK_RUNG_BLACKLIST,
  BlockRung.BLOCK_RUNG_INSTALL,
  BlockRung.BLOCK_RUNG_INSTALL_INEFFECTIVE,
  BlockRung.BLOCK_RUNG_ALIAS,
]);

/**
 * The rung `initramfs`, one for each block whose file is younger than the boot image of this release: what runs before the root is mounted does
 * not know the line. Whether the image holds the kmod at all is not looked at (tens of MiB, compressed), and the image of the running system is
 * taken to be the one in /boot.
 */
export async function staleImageBlocks(
  files: HostFiles,
  release: string,
  blocks: readonly KmodBlock[],
): Promise<KmodBlock[]> {
  const copied = blocks.filter((block) => block.kmod !== '' && COPIED_RUNGS.has(block.rung));
  const image = copied.length === 0 ? undefined : await findImage(files, release);
  if (image === undefined) return [];
  const younger = new Map<string, KmodBlock>();
  for (const { kmod, file } of copied) {
    const found = await files.stat(file);
    if (found.kind !== 'ok' || found.value.mtimeMs <= image.mtimeMs || younger.has(kmod)) continue;
    younger.set(kmod, {
      kmod,
      rung: BlockRung.BLOCK_RUNG_INITRAMFS,
      file: image.path,
      line: 0,
      detail: `older than ${file}: a copy of ${kmod} inside it may load at boot; rebuild it (update-initramfs -u, dracut -f)`,
    });
  }
  return [...younger.values()];
}

async function findImage(files: HostFiles, release: string): Promise<{ path: string; mtimeMs: number } | undefined> {
  if (!/^[A-Za-z0-9_.+~-]+$/.test(release)) return undefined;
  for (const shape of BOOT_IMAGES) {
    const path = `/boot/${shape.includes('*') ? shape.replace('*', release) : `${shape}${release}`}`;
    const found = await files.stat(path);
    if (found.kind === 'ok') return { path, mtimeMs: found.value.mtimeMs };
  }
  return undefined;
}
