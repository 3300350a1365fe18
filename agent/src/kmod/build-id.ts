/** Note type of a GNU build id (elf.h: NT_GNU_BUILD_ID). */
const NT_GNU_BUILD_ID = 3;

/** Three 32-bit words: size of the name, size of the content, type (elf(5), "Notes"). */
const HEADER_BYTES = 12;

/**
 * The GNU build id in the bytes of a note section, lower-case hex: /sys/module/X/notes/.note.gnu.build-id, or the same section of a kmod's
 * file. Both byte orders. Undefined when there is none.
 */
export function parseBuildId(note: Uint8Array): string | undefined {
  return parseNotes(note, true) ?? parseNotes(note, false);
}

function parseNotes(note: Uint8Array, littleEndian: boolean): string | undefined {
  const view = new DataView(note.buffer, note.byteOffset, note.byteLength);
  let offset = 0;
  while (offset + HEADER_BYTES <= note.length) {
    const nameSize = view.getUint32(offset, littleEndian);
    const contentSize = view.getUint32(offset + 4, littleEndian);
    const type = view.getUint32(offset + 8, littleEndian);
    const content = offset + HEADER_BYTES + aligned(nameSize);
    if (content + contentSize > note.length) return undefined;
    if (
      type === NT_GNU_BUILD_ID &&
      bytesAt(note, offset + HEADER_BYTES, content)
        .toString('latin1')
        .startsWith('GNU\0')
    ) {
      return bytesAt(note, content, content + contentSize).toString('hex');
    }
    offset = content + aligned(contentSize);
  }
  return undefined;
}

/** The same bytes, not a copy. */
function bytesAt(note: Uint8Array, from: number, to: number): Buffer {
  return Buffer.from(note.buffer, note.byteOffset + from, to - from);
}

function aligned(bytes: number): number {
  return (bytes + 3) & ~3;
}
