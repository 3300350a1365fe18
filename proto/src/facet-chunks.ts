import { sameDigest, sha256 } from './facet-encoding.ts';
import { FacetEncodingError } from './facet-errors.ts';
import type { FacetChunk } from '../gen/modfleet/types/v1/facet.ts';

/** Longest piece of a facet in one message. grpc's own limit is 4 MiB; small pieces let heartbeats pass between them. */
export const FACET_CHUNK_BYTES = 256 * 1024;

/** Longest facet that is accepted: six times a full Debian kernel's `available` (2.6 MB). */
export const FACET_MAX_BYTES = 16 * 1024 * 1024;

/** Cuts canonical bytes into chunks of at most 256 KiB; no bytes give one empty chunk. */
export function* chunksOf(bytes: Uint8Array): Generator<FacetChunk> {
  const contentDigest = Buffer.from(sha256(bytes));
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 0;
  do {
    const data = view.subarray(offset, offset + FACET_CHUNK_BYTES);
    yield { contentDigest, totalBytes: view.length, offset, data };
    offset += data.length;
  } while (offset < view.length);
}

/** Puts chunks that arrive in order together again; holds at most the announced length, itself at most 16 MiB. */
export class ChunkAssembler {
  #contentDigest: Uint8Array | undefined;
  #totalBytes = 0;
  #received: Uint8Array[] = [];
  #bytes = 0;

  /** Bytes held now. */
  get heldBytes(): number {
    return this.#bytes;
  }

  /**
   * Takes the next chunk; answers the whole once it is complete. A chunk at offset 0 begins anew.
   *
   * @throws FacetEncodingError when a chunk is missing, does not belong, is too long, or the whole has another digest; what was held is dropped.
   */
  add(chunk: FacetChunk): Uint8Array | undefined {
    try {
      return this.#add(chunk);
    } catch (error) {
      this.reset();
      throw error;
    }
  }

  /** Drops what is held. */
  reset(): void {
    this.#contentDigest = undefined;
    this.#received = [];
    this.#bytes = 0;
  }

  #add(chunk: FacetChunk): Uint8Array | undefined {
    if (chunk.offset === 0) this.#begin(chunk);
    const expected = this.#contentDigest;
    if (expected === undefined || !sameDigest(expected, chunk.contentDigest) || chunk.totalBytes !== this.#totalBytes) {
      throw new FacetEncodingError('a chunk does not belong to the content that began');
    }
    if (chunk.offset !== this.#bytes)
      throw new FacetEncodingError(`a chunk begins at ${chunk.offset}, expected ${this.#bytes}`);
    if (chunk.data.length > FACET_CHUNK_BYTES)
      throw new FacetEncodingError(`a chunk has ${chunk.data.length} bytes, allowed are ${FACET_CHUNK_BYTES}`);
    if (this.#bytes + chunk.data.length > this.#totalBytes)
      throw new FacetEncodingError('the chunks are longer than announced');
    if (chunk.data.length === 0 && this.#totalBytes > 0) throw new FacetEncodingError('a chunk is empty');
    this.#received.push(chunk.data);
    this.#bytes += chunk.data.length;
    if (this.#bytes < this.#totalBytes) return undefined;
    const whole = Buffer.concat(this.#received, this.#bytes);
    if (!sameDigest(sha256(whole), expected))
      throw new FacetEncodingError('the chunks together have another digest than announced');
    this.reset();
    return whole;
  }

  #begin(chunk: FacetChunk): void {
    if (chunk.totalBytes > FACET_MAX_BYTES) {
      throw new FacetEncodingError(`a facet of ${chunk.totalBytes} bytes is announced, allowed are ${FACET_MAX_BYTES}`);
    }
    this.reset();
    this.#contentDigest = chunk.contentDigest;
    this.#totalBytes = chunk.totalBytes;
  }
}
