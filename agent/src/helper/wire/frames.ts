/*
 * A frame on the wire: 4 bytes of length, big endian, then that many bytes. The other side is not trusted: a length above the limit is refused
 * before anything is kept of it.
 */

/** Longest frame from courier to helper, in bytes: a request with 64 parameters of 1 KiB has room. */
export const MAX_COURIER_FRAME = 128 * 1024;

/** Longest frame from helper to courier, in bytes: a verdict with all its evidence, a kernel log. */
export const MAX_HELPER_FRAME = 4 * 1024 * 1024;

const HEADER_BYTES = 4;

/** Bytes that are no frame. */
export class FrameError extends Error {
  readonly code = 'bad_frame';
  constructor(message: string) {
    super(message);
    this.name = 'FrameError';
  }
}

/** A message as a frame. */
export function frameOf(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(HEADER_BYTES + message.length);
  frame.writeUInt32BE(message.length, 0);
  frame.set(message, HEADER_BYTES);
  return frame;
}

/** Cuts a byte stream into messages. */
export class FrameReader {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether the bytes so far end in the middle of a frame. */
  get isInside(): boolean {
    return this.#size > 0;
  }

  /** The messages that are complete with these bytes. @throws FrameError, after which this reader is of no use */
  push(bytes: Uint8Array): Buffer[] {
    if (bytes.length > 0) {
      this.#chunks.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
      this.#size += bytes.length;
    }
    const messages: Buffer[] = [];
    for (let message = this.#next(); message !== undefined; message = this.#next()) messages.push(message);
    return messages;
  }

  #next(): Buffer | undefined {
    if (this.#size < HEADER_BYTES) return undefined;
    const length = this.#joined(HEADER_BYTES).readUInt32BE(0);
    if (length === 0) throw new FrameError('a frame of 0 bytes');
    if (length > this.#maxBytes) throw new FrameError(`a frame of ${length} bytes; ${this.#maxBytes} is the most`);
    if (this.#size < HEADER_BYTES + length) return undefined;
    const all = this.#joined(HEADER_BYTES + length);
    const rest = all.subarray(HEADER_BYTES + length);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#size = rest.length;
    return Buffer.from(all.subarray(HEADER_BYTES, HEADER_BYTES + length));
  }

  /** The kept bytes with at least the first `length` in one piece. Joined only when needed, so that many small chunks cost no square. */
  #joined(length: number): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && first.length >= length) return first;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }
}
