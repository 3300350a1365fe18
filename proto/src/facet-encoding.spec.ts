import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Facet } from '../gen/modfleet/types/v1/facet.ts';
import { LoadedFacet, LoadedKmod, ParametersFacet } from '../gen/modfleet/types/v1/kmod.ts';
import { decodeFacet, encodeFacet, facetDigest } from './facet-encoding.ts';
import { FacetEncodingError } from './facet-errors.ts';
import { FACET_WORDS, KNOWN_FACETS } from './facet-values.ts';
import { facetArbitraries, shuffled } from './testing/facet-arbitraries.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe.each(KNOWN_FACETS.map((facet) => [FACET_WORDS[facet], facet] as const))('facet %s', (_word, facet) => {
  const values = facetArbitraries[facet];

  it('has the same digest whatever the order of its input', () => {
    fc.assert(
      fc.property(
        values.chain((value) => fc.tuple(fc.constant(value), shuffled(value))),
        ([value, other]) => hex(facetDigest(facet, value)) === hex(facetDigest(facet, other)),
      ),
    );
  });

  it('comes back from its canonical bytes, which are a fixed point', () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encodeFacet(facet, value);
        expect(hex(encodeFacet(facet, decodeFacet(facet, bytes)))).toBe(hex(bytes));
      }),
    );
  });

  it('has different digests for different content', () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        const same = hex(encodeFacet(facet, a)) === hex(encodeFacet(facet, b));
        expect(hex(facetDigest(facet, a)) === hex(facetDigest(facet, b))).toBe(same);
      }),
    );
  });
});

describe('a change of any field of a loaded kmod', () => {
  const changes: Partial<LoadedKmod>[] = [
    { name: 'other' },
    { buildId: 'ff' },
    { size: 2 },
    { taint: 'OE' },
    { srcversion: 'x' },
    { version: 'x' },
    { state: 2 },
  ];
  it.each(changes)('%o changes the digest', (change) => {
    const kmod = LoadedKmod.fromPartial({ name: 'floppy', size: 1, state: 1 });
    const before = facetDigest(Facet.FACET_LOADED, { kmods: [kmod] });
    const after = facetDigest(Facet.FACET_LOADED, { kmods: [{ ...kmod, ...change }] });
    expect(hex(after)).not.toBe(hex(before));
  });
});

describe('what is not canonical', () => {
  const entry = (name: string): LoadedKmod => LoadedKmod.fromPartial({ name });

  it('two entries with one key are refused', () => {
    expect(() => encodeFacet(Facet.FACET_LOADED, { kmods: [entry('a'), entry('a')] })).toThrow(FacetEncodingError);
  });

  it('a parameter that is given twice is refused', () => {
    const kmods = ParametersFacet.fromPartial({ kmods: [{ name: 'a', parameters: [{ name: 'p' }, { name: 'p' }] }] });
    expect(() => encodeFacet(Facet.FACET_PARAMETERS, kmods)).toThrow('parameter p of a is given twice');
  });

  it('bytes out of order or with repetitions are refused', () => {
    const raw = (...names: string[]): Uint8Array => LoadedFacet.encode({ kmods: names.map(entry) }).finish();
    expect(() => decodeFacet(Facet.FACET_LOADED, raw('b', 'a'))).toThrow('"a" is out of order');
    expect(() => decodeFacet(Facet.FACET_LOADED, raw('a', 'a'))).toThrow('"a" is out of order');
    expect(decodeFacet(Facet.FACET_LOADED, raw('a', 'b')).kmods).toHaveLength(2);
  });

  it('bytes that are no message are refused', () => {
    expect(() => decodeFacet(Facet.FACET_LOADED, Buffer.from([0x0a, 0xff]))).toThrow(FacetEncodingError);
  });

  it('order of modprobe lines is content', () => {
    const line = (file: string) => ({ keyword: 'install', arguments: 'x /bin/false', file, line: 1 });
    const config = (files: string[]) => ({
      modprobe: files.map(line),
      modulesLoad: [],
      kernelCmdline: '',
      blocks: [],
      unreadable: [],
    });
    expect(hex(facetDigest(Facet.FACET_CONFIG, config(['a', 'b'])))).not.toBe(
      hex(facetDigest(Facet.FACET_CONFIG, config(['b', 'a']))),
    );
  });
});
