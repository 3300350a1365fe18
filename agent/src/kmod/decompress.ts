import { promisify } from 'node:util';

/** How a kmod file is packed. */
export type Compression = 'none' | 'gzip' | 'xz' | 'zstd';

/** By the first bytes, never by the file's name. */
export function compressionOf(bytes: Uint8Array): Compression {
  if (startsWith(bytes, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])) return 'xz';
  if (startsWith(bytes, [0x28, 0xb5, 0x2f, 0xfd])) return 'zstd';
  if (startsWith(bytes, [0x1f, 0x8b])) return 'gzip';
  return 'none';
}

/**
 * The unpacked bytes of a kmod file. The libraries are loaded when needed: the resident program never opens a kmod.
 *
 * @throws Error of the library when the bytes are damaged or cut.
 */
export async function decompress(bytes: Uint8Array): Promise<Uint8Array> {
  switch (compressionOf(bytes)) {
    case 'none':
      return bytes;
    case 'gzip':
      return promisify((await import('node:zlib')).gunzip)(bytes);
    case 'zstd':
      return promisify((await import('node:zlib')).zstdDecompress)(bytes);
    case 'xz':
      return unxz(bytes);
  }
}

/** node:zlib has no xz: xz-decompress is the reference decoder (xz-embedded) compiled to WASM. */
async function unxz(bytes: Uint8Array): Promise<Uint8Array> {
  const { default: xz } = await import('xz-decompress');
  const packed = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of new xz.XzReadableStream(packed)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}
