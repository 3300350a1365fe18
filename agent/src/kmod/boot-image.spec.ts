import { BlockRung, type KmodBlock } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { MemoryHostFiles } from '../host/memory-host-files.ts';
import { staleImageBlocks } from './boot-image.ts';

const CONF = '/etc/modprobe.d/cve.conf';
const BLOCK: KmodBlock = { kmod: 'tipc', rung: BlockRung.BLOCK_RUNG_INSTALL, file: CONF, line: 1, detail: 'install …' };

async function stale(image: string, confAt: number, imageAt: number, block: KmodBlock = BLOCK) {
  const files = new MemoryHostFiles({ [image]: 'cpio', [CONF]: 'install tipc /bin/false\n' });
  files.mtimes.set(image, imageAt).set(CONF, confAt);
  return staleImageBlocks(files, '6.1.0-test', [block, block]);
}

describe('staleImageBlocks', () => {
  it.each(['/boot/initrd.img-6.1.0-test', '/boot/initramfs-6.1.0-test.img', '/boot/initrd-6.1.0-test'])(
    'says once that %s is older than a line',
    async (image) => {
      expect(await stale(image, 2_000, 1_000)).toEqual([
        {
          kmod: 'tipc',
          rung: BlockRung.BLOCK_RUNG_INITRAMFS,
          file: image,
          line: 0,
          detail: expect.stringContaining(`older than ${CONF}`),
        },
      ]);
    },
  );

  it('says nothing of an image that was made after the line, or of another release', async () => {
    expect(await stale('/boot/initrd.img-6.1.0-test', 1_000, 2_000)).toEqual([]);
    expect(await stale('/boot/initrd.img-6.1.0-other', 2_000, 1_000)).toEqual([]);
  });

  it('is about lines of modprobe.d only', async () => {
    const cmdline = { ...BLOCK, rung: BlockRung.BLOCK_RUNG_CMDLINE_KERNEL, file: '/proc/cmdline' };
    expect(await stale('/boot/initrd.img-6.1.0-test', 2_000, 1_000, cmdline)).toEqual([]);
  });
});
