import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import {
  applyDelta,
  ChunkAssembler,
  encodeFacet,
  Facet,
  FACET_MAX_BYTES,
  type FacetUpdate,
  type KnownFacet,
  sha256,
} from '@modfleet/proto';
import { DatabaseService } from '../database/database.service.ts';
import { ContentError, ContentTooLongError, type FacetContent, readContent } from './facet-content.ts';
import type { HostTracker } from './host-tracker.ts';
import { LoadedReader } from './loaded-reader.ts';
import { loadedKmods, storedValue } from './set.queries.ts';

/** Canonical bytes kept to apply deltas to: of ten thousand hosts whose kmods differ. One that is not here is made from the database. */
const VALUE_CACHE_BYTES = 96 * 1024 * 1024;
/** Contents being assembled from chunks, of all hosts together. */
const ASSEMBLING_BYTES_MAX = 128 * 1024 * 1024;

const MIB = 1024 * 1024;
/**
 * Longest content of each facet, in bytes. A machine with five hundred kmods has 45 KB of `loaded`, a full Debian kernel 2.6 MB of `available`; what is
 * longer is refused before it is read.
 */
const LONGEST: Readonly<Record<KnownFacet, number>> = {
  [Facet.FACET_LOADED]: 2 * MIB,
  [Facet.FACET_PARAMETERS]: 2 * MIB,
  [Facet.FACET_AVAILABLE]: FACET_MAX_BYTES,
  [Facet.FACET_DEVICES]: 4 * MIB,
  [Facet.FACET_CONFIG]: 4 * MIB,
};

type Content = NonNullable<FacetUpdate['content']>;

/** Makes whole, proven contents of what hosts send: whole, as a change against another value, or in chunks. */
@Injectable()
export class ContentReader {
  readonly #database: DatabaseService;
  readonly #values = new LRUCache<string, Uint8Array>({
    maxSize: VALUE_CACHE_BYTES,
    sizeCalculation: (bytes) => bytes.length + 64,
  });
  readonly #assemblers = new Map<string, ChunkAssembler>();
  readonly #loaded = new LoadedReader();

  constructor(@Inject(DatabaseService) database: DatabaseService) {
    this.#database = database;
  }

  /**
   * Undefined: nothing whole yet; or a change against something that is not here, which is no more than a digest.
   *
   * @throws ContentError, ContentTooLongError, FacetEncodingError, FacetDeltaError, DatabaseUnavailableError
   */
  async read(
    tracker: HostTracker,
    facet: KnownFacet,
    hex: string,
    content: Content,
  ): Promise<FacetContent | undefined> {
    const length = announcedLength(content);
    if (length > LONGEST[facet])
      throw new ContentTooLongError(`${length} bytes are more than any machine has: ${LONGEST[facet]} are allowed`);
    const bytes = await this.#bytesOf(tracker, facet, content);
    if (bytes === undefined) return undefined;
    const read = readContent(facet, hex, bytes, (value) => this.#loaded.read(value));
    this.#values.set(`${facet}:${hex}`, bytes);
    return read;
  }

  /** Drops what was assembled of this facet. */
  forget(tracker: HostTracker, facet: KnownFacet): void {
    this.#assemblers.delete(assemblerKey(tracker, facet));
  }

  async #bytesOf(tracker: HostTracker, facet: KnownFacet, content: Content): Promise<Uint8Array | undefined> {
    switch (content.$case) {
      case 'whole':
        return content.value;
      case 'digestOnly':
        return undefined;
      case 'chunk':
        return this.#assemble(assemblerKey(tracker, facet), content.value);
      case 'delta': {
        const base = content.value.baseDigest.toString('hex');
        const value = this.#values.get(`${facet}:${base}`) ?? (await this.#stored(facet, tracker.peer.hostId, base));
        return value === undefined ? undefined : applyDelta(facet, value, content.value);
      }
    }
  }

  /** What is loaded is stored by builds: its bytes are made again, and are of use only if they are those of the digest. */
  async #stored(facet: KnownFacet, hostId: string, hex: string): Promise<Uint8Array | undefined> {
    if (facet !== Facet.FACET_LOADED) return storedValue(this.#database, facet, hostId, hex);
    const kmods = await loadedKmods(this.#database, hex);
    const bytes = kmods === undefined ? undefined : encodeFacet(Facet.FACET_LOADED, { kmods });
    return bytes !== undefined && Buffer.from(sha256(bytes)).toString('hex') === hex ? bytes : undefined;
  }

  #assemble(key: string, chunk: Extract<Content, { $case: 'chunk' }>['value']): Uint8Array | undefined {
    const held = [...this.#assemblers.values()].reduce((sum, each) => sum + each.heldBytes, 0);
    if (held + chunk.data.length > ASSEMBLING_BYTES_MAX)
      throw new ContentError('too much is being assembled at the moment');
    const assembler = this.#assemblers.get(key) ?? new ChunkAssembler();
    this.#assemblers.set(key, assembler);
    const whole = assembler.add(chunk);
    if (whole !== undefined) this.#assemblers.delete(key);
    return whole;
  }
}

/** Bytes of the whole, as far as the message says. */
function announcedLength(content: Content): number {
  if (content.$case === 'whole') return content.value.length;
  return content.$case === 'chunk' ? content.value.totalBytes : 0;
}

function assemblerKey(tracker: HostTracker, facet: KnownFacet): string {
  return `${tracker.peer.sessionNo}:${facet}`;
}
