import { LRUCache } from 'lru-cache';
import {
  changedParts,
  decodeFacet,
  entryAt,
  Facet,
  type FacetChange,
  type FacetParts,
  type LoadedKmod,
  partsOf,
} from '@modfleet/proto';

/** Builds of a dozen kernel releases with everything that any host loads. */
const KEPT = 50_000;

/** Canonical bytes of `loaded`, taken apart, and what each entry says. */
export interface LoadedValue {
  readonly parts: FacetParts;
  readonly kmods: readonly LoadedKmod[];
}

/**
 * Decodes what hosts have loaded. Ten thousand hosts say the same of most of their kmods, byte for byte: each such entry is decoded once and is then the same object
 * everywhere, by which what follows (its number, what changed) is found without looking into it. Nobody may change one.
 */
export class LoadedReader {
  readonly #kmods = new LRUCache<string, LoadedKmod>({ max: KEPT });

  /** @throws FacetEncodingError when the bytes are not canonical. */
  read(bytes: Uint8Array): LoadedValue {
    const parts = partsOf(Facet.FACET_LOADED, bytes);
    return { parts, kmods: parts.keys.map((_key, at) => this.#kmodOf(entryAt(parts, at))) };
  }

  /** What a host has loaded after a change: only what came with it is read. @throws FacetDeltaError, FacetEncodingError */
  changed(base: LoadedValue, change: FacetChange): LoadedValue {
    const { parts, origins } = changedParts(Facet.FACET_LOADED, base.parts, change);
    return { parts, kmods: origins.map((origin, at) => base.kmods[origin] ?? this.#kmodOf(entryAt(parts, at))) };
  }

  #kmodOf(entry: Uint8Array): LoadedKmod {
    const text = Buffer.from(entry.buffer, entry.byteOffset, entry.length).toString('latin1');
    const known = this.#kmods.get(text);
    if (known !== undefined) return known;
    const [kmod] = decodeFacet(Facet.FACET_LOADED, entry).kmods;
    if (kmod === undefined) throw new Error('a frame without its entry');
    this.#kmods.set(text, kmod);
    return kmod;
  }
}
