import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import {
  applyDelta,
  ChunkAssembler,
  encodeFacet,
  Facet,
  FACET_MAX_BYTES,
  type FacetChange,
  type FacetUpdate,
  type KnownFacet,
  sha256,
} from '@modfleet/proto';
import { DatabaseService } from '../database/database.service.ts';
import { ContentError, ContentTooLongError, type FacetContent, readContent } from './facet-content.ts';
import type { HostTracker } from './host-tracker.ts';
import { LoadedReader, type LoadedValue } from './loaded-reader.ts';
import { loadedKmods, storedValue } from './set.queries.ts';

/** Values kept to apply deltas to: of ten thousand hosts whose kmods differ. One that is not here is made from the database. */
const VALUE_CACHE_BYTES = 96 * 1024 * 1024;
/** What an entry that was taken apart costs beside its bytes: places and references, the words are shared. */
const PART_BYTES = 32;
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

/** Canonical bytes; `loaded`: taken apart. */
interface Value {
  readonly bytes: Uint8Array;
  readonly loaded?: LoadedValue;
}

/** Makes whole, proven contents of what hosts send: whole, as a change against another value, or in chunks. */
@Injectable()
export class ContentReader {
  readonly #database: DatabaseService;
  readonly #values = new LRUCache<string, Value>({
    maxSize: VALUE_CACHE_BYTES,
    sizeCalculation: ({ bytes, loaded }) => bytes.length + 64 + (loaded?.kmods.length ?? 0) * PART_BYTES,
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
    const value = await this.#valueOf(tracker, facet, content);
    if (value === undefined) return undefined;
    let { loaded } = value;
    const read = readContent(facet, hex, value.bytes, (bytes) => {
      loaded ??= this.#loaded.read(bytes);
      return { kmods: [...loaded.kmods] };
    });
    this.#values.set(`${facet}:${hex}`, loaded === undefined ? value : { bytes: loaded.parts.bytes, loaded });
    return read;
  }

  /** Drops what was assembled of this facet. */
  forget(tracker: HostTracker, facet: KnownFacet): void {
    this.#assemblers.delete(assemblerKey(tracker, facet));
  }

  async #valueOf(tracker: HostTracker, facet: KnownFacet, content: Content): Promise<Value | undefined> {
    switch (content.$case) {
      case 'whole':
        return { bytes: content.value };
      case 'digestOnly':
        return undefined;
      case 'chunk': {
        const bytes = this.#assemble(assemblerKey(tracker, facet), content.value);
        return bytes === undefined ? undefined : { bytes };
      }
      case 'delta': {
        const base = await this.#baseOf(tracker, facet, content.value.baseDigest.toString('hex'));
        return base === undefined ? undefined : this.#changed(facet, base, content.value);
      }
    }
  }

  async #baseOf(tracker: HostTracker, facet: KnownFacet, hex: string): Promise<Value | undefined> {
    const known = this.#values.get(`${facet}:${hex}`);
    if (known !== undefined) return known;
    const bytes = await this.#stored(facet, tracker.peer.hostId, hex);
    return bytes === undefined ? undefined : { bytes };
  }

  #changed(facet: KnownFacet, { bytes, loaded }: Value, change: FacetChange): Value {
    if (facet !== Facet.FACET_LOADED) return { bytes: applyDelta(facet, bytes, change) };
    const changed = this.#loaded.changed(loaded ?? this.#loaded.read(bytes), change);
    return { bytes: changed.parts.bytes, loaded: changed };
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
