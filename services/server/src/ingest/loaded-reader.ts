import { LRUCache } from 'lru-cache';
import { decodeFacet, Facet, framesOf, type LoadedFacet, type LoadedKmod } from '@modfleet/proto';

/** Builds of a dozen kernel releases with everything that any host loads. */
const KEPT = 50_000;

/**
 * Decodes what hosts have loaded. Ten thousand hosts say the same of most of their kmods, byte for byte: each such entry is decoded once and is then the same object
 * everywhere, by which what follows (its number, what changed) is found without looking into it. Nobody may change one.
 */
export class LoadedReader {
  readonly #kmods = new LRUCache<string, LoadedKmod>({ max: KEPT });

  /** @throws FacetEncodingError when the bytes are not canonical. */
  read(bytes: Uint8Array): LoadedFacet {
    const kmods = framesOf(Facet.FACET_LOADED, bytes).entries.map((frame) => {
      const text = Buffer.from(frame.bytes.buffer, frame.bytes.byteOffset, frame.bytes.length).toString('latin1');
      const known = this.#kmods.get(text);
      if (known !== undefined) return known;
      const [kmod] = decodeFacet(Facet.FACET_LOADED, frame.bytes).kmods;
      if (kmod === undefined) throw new Error('a frame without its entry');
      this.#kmods.set(text, kmod);
      return kmod;
    });
    return { kmods };
  }
}
