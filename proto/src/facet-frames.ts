import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { shapeOf } from './facet-encoding.ts';
import { FacetEncodingError } from './facet-errors.ts';
import { FACET_WORDS, type KnownFacet } from './facet-values.ts';
import { compareText } from './sorting.ts';

/** One entry as it stands in the canonical bytes of its facet, with its tag and length. */
export interface Frame {
  readonly key: string;
  readonly bytes: Uint8Array;
}

/** Canonical bytes of a facet taken apart: `before`, the entries, `after` follow upon each other. */
export interface Frames {
  readonly before: Uint8Array;
  readonly entries: readonly Frame[];
  readonly after: Uint8Array;
}

/**
 * Takes canonical bytes apart without decoding the entries: who compares or merges a hundred and fifty of them for one that changed works on bytes. What a newer
 * agent says in fields that this build does not know stays what it is.
 *
 * @throws FacetEncodingError when the bytes are no message, or not in canonical order, or the facet has no entries (`config`).
 */
export function framesOf(facet: KnownFacet, bytes: Uint8Array): Frames {
  const shape = shapeOf(facet).entries;
  if (shape === undefined) throw new FacetEncodingError(`facet ${FACET_WORDS[facet]} has no entries: it is read whole`);
  const { field, keyFields } = shape;
  const entries: Frame[] = [];
  let from = bytes.length;
  let to = bytes.length;
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const start = reader.pos;
      const [number, wireType] = reader.tag();
      if (number !== field || wireType !== WireType.LengthDelimited) {
        reader.skip(wireType, number);
        continue;
      }
      const end = reader.uint32() + reader.pos;
      if (end > reader.len) throw new RangeError('premature EOF');
      const key = keyOf(reader, end, keyFields);
      if (entries.length === 0) from = start;
      else if (to !== start)
        throw new FacetEncodingError(`facet ${FACET_WORDS[facet]}: its entries do not stand together`);
      to = end;
      entries.push({ key, bytes: bytes.subarray(start, end) });
    }
  } catch (cause) {
    if (cause instanceof FacetEncodingError) throw cause;
    throw new FacetEncodingError(`facet ${FACET_WORDS[facet]}: the bytes are no message of this kind`, { cause });
  }
  for (const [at, { key }] of entries.entries()) {
    const previous = entries[at - 1];
    if (previous !== undefined && compareText(previous.key, key) >= 0)
      throw new FacetEncodingError(
        `facet ${FACET_WORDS[facet]}: entry ${JSON.stringify(key)} is out of order or repeated`,
      );
  }
  return entries.length === 0
    ? { before: bytes, entries, after: new Uint8Array() }
    : { before: bytes.subarray(0, from), entries, after: bytes.subarray(to) };
}

/** The bytes of frames, put together. */
export function bytesOfFrames({ before, entries, after }: Frames): Uint8Array {
  const whole = Buffer.concat([before, ...entries.map(({ bytes }) => bytes), after]);
  return new Uint8Array(whole.buffer, whole.byteOffset, whole.length);
}

/** Of the entry that ends at `end`: its key fields, of which the last of its number counts, as in every protobuf message. */
function keyOf(reader: BinaryReader, end: number, keyFields: readonly number[]): string {
  const parts = keyFields.map(() => '');
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    const part = keyFields.indexOf(number);
    if (part !== -1 && wireType === WireType.LengthDelimited) parts[part] = reader.string();
    else reader.skip(wireType, number);
  }
  if (reader.pos !== end) throw new RangeError('an entry that reaches beyond its end');
  return parts.join('/');
}
