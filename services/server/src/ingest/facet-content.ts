import {
  canonicalKmodName,
  decodeFacet,
  Facet,
  FACET_MAX_BYTES,
  FacetEncodingError,
  KmodNameError,
  sha256,
  type FacetValues,
  type KnownFacet,
  type LoadedFacet,
} from '@modfleet/proto';

/** A facet's value, proven to be what its digest says and fit to be stored. */
export type FacetContent = {
  readonly [F in KnownFacet]: {
    readonly facet: F;
    readonly hex: string;
    /** Canonical bytes. */
    readonly bytes: Uint8Array;
    readonly value: FacetValues[F];
  };
}[KnownFacet];

/** A host sent something that cannot be stored; the message says what, for the log. */
export class ContentError extends Error {
  readonly code = 'facet_content_invalid';
}

/** More than any machine has: who sends it means no good, and is not listened to any further. */
export class ContentTooLongError extends ContentError {}

/** A kernel with every kmod of Debian has 4,230; a few machines have ten thousand devices. */
const ENTRIES_MAX = 50_000;

/**
 * Reads an upload.
 *
 * @param readLoaded decodes canonical bytes of `loaded`.
 * @throws ContentError when the bytes are not canonical, too long, not what the digest says, or name something that is no kmod.
 */
export function readContent(
  facet: KnownFacet,
  hex: string,
  bytes: Uint8Array,
  readLoaded: (bytes: Uint8Array) => LoadedFacet = (value) => decodeFacet(Facet.FACET_LOADED, value),
): FacetContent {
  if (bytes.length > FACET_MAX_BYTES)
    throw new ContentTooLongError(`${bytes.length} bytes, allowed are ${FACET_MAX_BYTES}`);
  // `available` is named by depmod's index files, not by these bytes.
  if (facet !== Facet.FACET_AVAILABLE && Buffer.from(sha256(bytes)).toString('hex') !== hex)
    throw new ContentError('the bytes have another digest than announced');
  try {
    const value = facet === Facet.FACET_LOADED ? readLoaded(bytes) : decodeFacet(facet, bytes);
    const content = { facet, hex, bytes, value } as FacetContent;
    checkNames(content);
    return content;
  } catch (error) {
    if (error instanceof FacetEncodingError || error instanceof KmodNameError)
      throw new ContentError(error.message, { cause: error });
    throw error;
  }
}

function checkNames(content: FacetContent): void {
  const names = kmodNamesOf(content);
  if (names.length > ENTRIES_MAX) throw new ContentTooLongError(`${names.length} entries, allowed are ${ENTRIES_MAX}`);
  for (const name of names) {
    if (canonicalKmodName(name) !== name)
      throw new ContentError(`${JSON.stringify(name)} is not a canonical kmod name`);
  }
}

/** Every kmod that the dictionary must know before the content is stored. */
export function kmodNamesOf(content: FacetContent): string[] {
  switch (content.facet) {
    case Facet.FACET_LOADED:
    case Facet.FACET_PARAMETERS:
    case Facet.FACET_AVAILABLE:
      return content.value.kmods.map((kmod) => kmod.name);
    case Facet.FACET_DEVICES:
      return content.value.devices.map((device) => device.kmod).filter((name) => name !== '');
    case Facet.FACET_CONFIG:
      return content.value.blocks.map((block) => block.kmod).filter((name) => name !== '');
  }
}
