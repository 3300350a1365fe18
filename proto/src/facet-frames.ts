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
  const { field, keyFields } = entriesOf(facet);
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

/**
 * Where two canonical values of a facet differ: the entries of each between what both begin with and what both end with. Of the hundred and forty-nine entries of a hundred and
 * fifty that stayed no key is read.
 *
 * @throws FacetEncodingError as {@link framesOf}, as far as it has to look.
 */
export function differingFrames(
  facet: KnownFacet,
  base: Uint8Array,
  next: Uint8Array,
): { readonly base: readonly Frame[]; readonly next: Frames } {
  const [left, right] = [spansOf(facet, base), spansOf(facet, next)];
  const same = (at: number, other: number): boolean => {
    const [from, to] = [left[at], right[other]];
    return from !== undefined && to !== undefined && Buffer.compare(from, to) === 0;
  };
  let start = 0;
  while (start < left.length && start < right.length && same(start, start)) start += 1;
  let tail = 0;
  const shorter = Math.min(left.length, right.length) - start;
  while (tail < shorter && same(left.length - 1 - tail, right.length - 1 - tail)) tail += 1;
  const middle = (spans: readonly Uint8Array[]): readonly Frame[] =>
    framesOf(facet, Buffer.concat(spans.slice(start, spans.length - tail))).entries;
  return { base: middle(left), next: { ...aroundEntries(next, right), entries: middle(right) } };
}

/** What comes before and after the entries. */
function aroundEntries(bytes: Uint8Array, spans: readonly Uint8Array[]): Omit<Frames, 'entries'> {
  const [first, last] = [spans[0], spans.at(-1)];
  if (first === undefined || last === undefined) return { before: bytes, after: new Uint8Array() };
  const end = last.byteOffset - bytes.byteOffset + last.length;
  return { before: bytes.subarray(0, first.byteOffset - bytes.byteOffset), after: bytes.subarray(end) };
}

/** The bytes of each entry, unread. */
function spansOf(facet: KnownFacet, bytes: Uint8Array): Uint8Array[] {
  const { field } = entriesOf(facet);
  const spans: Uint8Array[] = [];
  const reader = new BinaryReader(bytes);
  try {
    while (reader.pos < reader.len) {
      const start = reader.pos;
      const [number, wireType] = reader.tag();
      reader.skip(wireType, number);
      if (number === field && wireType === WireType.LengthDelimited) spans.push(bytes.subarray(start, reader.pos));
    }
  } catch (cause) {
    throw new FacetEncodingError(`facet ${FACET_WORDS[facet]}: the bytes are no message of this kind`, { cause });
  }
  return spans;
}

function entriesOf(facet: KnownFacet) {
  const shape = shapeOf(facet).entries;
  if (shape === undefined) throw new FacetEncodingError(`facet ${FACET_WORDS[facet]} has no entries: it is read whole`);
  return shape;
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
