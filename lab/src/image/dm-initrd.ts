import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Progress } from '../types.ts';
import { cachedFolder } from './cached.ts';
import { cpioArchive, cpioEntries, type CpioFile } from './cpio.ts';
import { earlyKmods } from './initrd.ts';
import type { LabKernel } from './kernel.ts';

const RECIPE = 'dm initrd 1';

const LIBRARIES = 'usr/lib/x86_64-linux-gnu';

/** dmsetup and every library that it loads (ldd, Debian 12). */
const DMSETUP_FILES: Readonly<Record<string, string>> = {
  dmsetup: 'usr/sbin/dmsetup',
  'ld.so': `${LIBRARIES}/ld-linux-x86-64.so.2`,
  'lib/libdevmapper.so.1.02.1': `${LIBRARIES}/libdevmapper.so.1.02.1`,
  'lib/libselinux.so.1': `${LIBRARIES}/libselinux.so.1`,
  'lib/libudev.so.1': `${LIBRARIES}/libudev.so.1`,
  'lib/libpcre2-8.so.0': `${LIBRARIES}/libpcre2-8.so.0`,
  'lib/libm.so.6': `${LIBRARIES}/libm.so.6`,
  'lib/libc.so.6': `${LIBRARIES}/libc.so.6`,
};

/**
 * What the initramfs needs besides to put the root on a device-mapper volume, below /dm: the kmod and Debian's dmsetup. An archive of its own,
 * because only hosts that ask for it should pay for unpacking 3 MB more.
 */
export async function dmInitrdFile(kernel: LabKernel, base: string, progress: Progress): Promise<string> {
  const folder = await cachedFolder(
    {
      name: 'initrd-dm',
      inputs: [RECIPE, kernel.image, base],
      build: async (partial) => {
        const kmods = await earlyKmods(kernel, ['dm_mod'], partial);
        const files = new Map<string, CpioFile>(
          [...kmods].map(([name, content]) => [`dm/${name}`, { content, mode: 0o644 }]),
        );
        files.set('dm/order', { content: Buffer.from(`${[...kmods.keys()].join('\n')}\n`), mode: 0o644 });
        for (const [name, path] of Object.entries(DMSETUP_FILES))
          files.set(`dm/${name}`, { content: await readFile(join(base, path)), mode: 0o755 });
        await writeFile(join(partial, 'initrd.cpio'), cpioArchive(cpioEntries(files)));
      },
    },
    progress,
  );
  return join(folder, 'initrd.cpio');
}
