/** QEMU's stream sockets put the length of each frame before it: 4 bytes, big endian (net/stream.c). */
const LENGTH_BYTES = 4;
/** Destination and source address come before the tag. */
const ADDRESS_BYTES = 12;
const TAG_BYTES = 4;
const TAG_PROTOCOL = 0x8100;
const ID_MASK = 0xfff;

/** Cuts a stream into frames. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Gives the frames that are complete with this chunk. */
  add(chunk: Buffer): Buffer[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Buffer[] = [];
    while (this.#rest.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + this.#rest.readUInt32BE(0);
      if (this.#rest.length < end) break;
      frames.push(this.#rest.subarray(LENGTH_BYTES, end));
      this.#rest = this.#rest.subarray(end);
    }
    return frames;
  }
}

/** A frame as it goes over the socket. */
export function framed(frame: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(frame.length);
  return Buffer.concat([length, frame]);
}

/** The frame with an 802.1Q tag of that VLAN. */
export function withTag(frame: Buffer, vlan: number): Buffer {
  const tag = Buffer.alloc(TAG_BYTES);
  tag.writeUInt16BE(TAG_PROTOCOL, 0);
  tag.writeUInt16BE(vlan, 2);
  return Buffer.concat([frame.subarray(0, ADDRESS_BYTES), tag, frame.subarray(ADDRESS_BYTES)]);
}

/** The frame without its tag; undefined for one of another VLAN or without a tag: a switch port drops it. */
export function withoutTag(frame: Buffer, vlan: number): Buffer | undefined {
  if (frame.length < ADDRESS_BYTES + TAG_BYTES || frame.readUInt16BE(ADDRESS_BYTES) !== TAG_PROTOCOL) return undefined;
  if ((frame.readUInt16BE(ADDRESS_BYTES + 2) & ID_MASK) !== vlan) return undefined;
  return Buffer.concat([frame.subarray(0, ADDRESS_BYTES), frame.subarray(ADDRESS_BYTES + TAG_BYTES)]);
}
