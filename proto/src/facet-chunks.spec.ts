import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkAssembler, FACET_CHUNK_BYTES, FACET_MAX_BYTES, chunksOf } from './facet-chunks.ts';
import { FacetEncodingError } from './facet-errors.ts';

const bytesOf = (length: number): Buffer => Buffer.from(Array.from({ length }, (_unused, index) => index % 251));

describe('chunks', () => {
  it('come together again, whatever the length', () => {
    const lengths = fc.oneof(
      fc.nat({ max: 3 }),
      fc.constantFrom(FACET_CHUNK_BYTES - 1, FACET_CHUNK_BYTES, FACET_CHUNK_BYTES + 1, 2 * FACET_CHUNK_BYTES),
    );
    fc.assert(
      fc.property(lengths, (length) => {
        const assembler = new ChunkAssembler();
        const results = [...chunksOf(bytesOf(length))].map((chunk) => assembler.add(chunk));
        expect(results.at(-1)).toEqual(bytesOf(length));
        expect(results.slice(0, -1).every((result) => result === undefined)).toBe(true);
        expect(assembler.heldBytes).toBe(0);
      }),
      { numRuns: 20 },
    );
  });

  it('that are missing, foreign, or damaged are refused, and nothing is held after', () => {
    const [first, second] = [...chunksOf(bytesOf(FACET_CHUNK_BYTES + 10))];
    if (first === undefined || second === undefined) throw new Error('two chunks expected');
    const refused = (...chunks: Parameters<ChunkAssembler['add']>[0][]): void => {
      const assembler = new ChunkAssembler();
      expect(() => chunks.map((chunk) => assembler.add(chunk))).toThrow(FacetEncodingError);
      expect(assembler.heldBytes).toBe(0);
    };
    refused(second);
    refused(first, { ...second, offset: second.offset + 1 });
    refused(first, { ...second, contentDigest: Buffer.alloc(32) });
    refused(first, { ...second, data: Buffer.alloc(second.data.length) });
    refused(first, { ...second, data: Buffer.alloc(second.data.length + 1) });
    refused(first, { ...second, data: Buffer.alloc(0) });
    refused({ ...first, totalBytes: FACET_MAX_BYTES + 1 });
  });

  it('that begin anew replace what was held', () => {
    const assembler = new ChunkAssembler();
    const [first] = [...chunksOf(bytesOf(FACET_CHUNK_BYTES + 10))];
    if (first !== undefined) assembler.add(first);
    const [small] = [...chunksOf(bytesOf(3))];
    expect(small && assembler.add(small)).toEqual(bytesOf(3));
  });
});
