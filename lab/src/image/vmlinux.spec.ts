import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { elfKernel } from './vmlinux.ts';

/** A file with the few header fields of a bzImage that matter: two setup sectors after the boot sector, then the payload. */
function bzImage(payload: Buffer): Buffer {
  const start = 512 * 3 + 64;
  const image = Buffer.alloc(start + payload.length + 100);
  image[0x1f1] = 2;
  image.write('HdrS', 0x202, 'latin1');
  image.writeUInt32LE(64, 0x248);
  image.writeUInt32LE(payload.length, 0x24c);
  payload.copy(image, start);
  return image;
}

const unpackedSize = Buffer.from([9, 0, 0, 0]);

describe('elfKernel', () => {
  it('unpacks a kernel packed with zstd', () => {
    const payload = Buffer.concat([zstdCompressSync(Buffer.from('\x7fELF kern')), unpackedSize]);
    expect(elfKernel(bzImage(payload))?.toString('latin1')).toBe('\x7fELF kern');
  });

  it('leaves a kernel packed with anything else to QEMU', () => {
    expect(elfKernel(bzImage(Buffer.from([0x02, 0x21, 0x4c, 0x18, 1, 2, 3, 4])))).toBeUndefined();
  });

  it('leaves alone what is no bzImage', () => {
    expect(elfKernel(Buffer.alloc(2048))).toBeUndefined();
  });
});
