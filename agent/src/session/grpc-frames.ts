/**
 * gRPC's framing of messages on a stream (gRPC over HTTP/2, "Length-Prefixed-Message"): one byte that is 1 when the message is packed, four bytes
 * of length, the message.
 */
const HEADER_BYTES = 5;

/** Shorter messages gain nothing: gzip's own frame has 18 bytes. */
const PACK_FROM_BYTES = 1024;

/** Frames a message. Long ones are packed with gzip, where that makes them shorter; its library (2 MiB) is loaded for the first of them. */
export function frameOf(message: Uint8Array): Buffer {
  const packed = message.length < PACK_FROM_BYTES ? undefined : process.getBuiltinModule('node:zlib').gzipSync(message);
  const isShorter = packed !== undefined && packed.length < message.length;
  const body = isShorter ? packed : message;
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  frame.writeUInt8(isShorter ? 1 : 0, 0);
  frame.writeUInt32BE(body.length, 1);
  frame.set(body, HEADER_BYTES);
  return frame;
}

/** What the peer sent is no gRPC, or more than is taken. */
export class FrameError extends Error {
  readonly code = 'frame_invalid';
}

/** Finds the messages in what arrives. Nobody was told that packed ones are taken, so they are refused. */
export class FrameReader {
  readonly #maxBytes: number;
  #held: Buffer = Buffer.alloc(0);

  /** `maxBytes`: longest message that is taken. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The messages that these bytes complete. @throws FrameError */
  push(bytes: Buffer): Buffer[] {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    const messages: Buffer[] = [];
    while (this.#held.length >= HEADER_BYTES) {
      if (this.#held[0] !== 0) throw new FrameError('the server sends packed messages, which nobody asked for');
      const length = this.#held.readUInt32BE(1);
      if (length > this.#maxBytes)
        throw new FrameError(`the server announces a message of ${length} bytes, allowed are ${this.#maxBytes}`);
      if (this.#held.length < HEADER_BYTES + length) break;
      messages.push(this.#held.subarray(HEADER_BYTES, HEADER_BYTES + length));
      this.#held = this.#held.subarray(HEADER_BYTES + length);
    }
    return messages;
  }
}
