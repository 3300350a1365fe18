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

  get first(): Upload | undefined {
    return this.#uploads[0];
  }

  add(upload: Upload): void {
    const { length } = upload.content.bytes;
    if (this.#bytes + length > BYTES_MAX) return;
    this.#bytes += length;
    this.#uploads.push(upload);
  }

  dropFirst(): void {
    this.#bytes -= this.#uploads.shift()?.content.bytes.length ?? 0;
  }
}
