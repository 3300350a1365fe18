import type { FacetContent } from './facet-content.ts';
import type { HostTracker } from './host-tracker.ts';

/** A content that came from a host and is not stored yet. */
export interface Upload {
  readonly tracker: HostTracker;
  readonly content: FacetContent;
}

const BYTES_MAX = 64 * 1024 * 1024;

/** Contents that wait to be written, in order and of bounded size: one that does not fit is dropped, and asked for again. */
export class UploadQueue {
  readonly #uploads: Upload[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#uploads.length === 0;
  }

  /** The oldest ones, at most so many and so many bytes together; at least one, when there is any. */
  batch(uploads: number, bytes: number): readonly Upload[] {
    const batch: Upload[] = [];
    let size = 0;
    for (const upload of this.#uploads) {
      size += upload.content.bytes.length;
      if (batch.length > 0 && (batch.length >= uploads || size > bytes)) break;
      batch.push(upload);
    }
    return batch;
  }

  add(upload: Upload): void {
    const { length } = upload.content.bytes;
    if (this.#bytes + length > BYTES_MAX) return;
    this.#bytes += length;
    this.#uploads.push(upload);
  }

  /** Drops the oldest `count`. */
  drop(count: number): void {
    for (const { content } of this.#uploads.splice(0, count)) this.#bytes -= content.bytes.length;
  }
}
