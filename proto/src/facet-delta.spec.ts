import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Facet } from '../gen/modfleet/types/v1/facet.ts';
import { LoadedKmod } from '../gen/modfleet/types/v1/kmod.ts';
import { applyDelta, diffFacets } from './facet-delta.ts';
import { encodeFacet } from './facet-encoding.ts';
import { FacetDeltaError } from './facet-errors.ts';
import { FACET_WORDS } from './facet-values.ts';
import { facetArbitraries } from './testing/facet-arbitraries.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const KEYED = [Facet.FACET_LOADED, Facet.FACET_PARAMETERS, Facet.FACET_AVAILABLE, Facet.FACET_DEVICES] as const;
const loaded = (...names: string[]): Uint8Array =>
  encodeFacet(Facet.FACET_LOADED, { kmods: names.map((name) => LoadedKmod.fromPartial({ name })) });

describe.each(KEYED.map((facet) => [FACET_WORDS[facet], facet] as const))('change of facet %s', (_word, facet) => {
  it('applied to its base gives the next value, and says nothing of what stayed', () => {
    fc.assert(
      fc.property(facetArbitraries[facet], (value) => {
        const bytes = encodeFacet(facet, value);
        const change = diffFacets(facet, bytes, bytes);
        expect(change?.removed).toEqual([]);
        if (change !== undefined) expect(hex(applyDelta(facet, bytes, change))).toBe(hex(bytes));
      }),
    );
    fc.assert(
      fc.property(facetArbitraries[facet], facetArbitraries[facet], (a, b) => {
        const base = encodeFacet(facet, a);
        const next = encodeFacet(facet, b);
        const change = diffFacets(facet, base, next);
        expect(change).toBeDefined();
        if (change !== undefined) expect(hex(applyDelta(facet, base, change))).toBe(hex(next));
      }),
    );
  });
});

describe('a change', () => {
  it('holds only what changed', () => {
    expect(diffFacets(Facet.FACET_LOADED, loaded('a', 'b'), loaded('b', 'c'))).toEqual({
      removed: ['a'],
      upserted: Buffer.from(loaded('c')),
    });
  });

  it('that removes what is not there is refused', () => {
    const change = { removed: ['z'], upserted: Buffer.alloc(0) };
    expect(() => applyDelta(Facet.FACET_LOADED, loaded('a'), change)).toThrow(FacetDeltaError);
  });

  it('that removes and adds one key is refused', () => {
    const change = { removed: ['a'], upserted: Buffer.from(loaded('a')) };
    expect(() => applyDelta(Facet.FACET_LOADED, loaded('a'), change)).toThrow('both removes and adds "a"');
  });

  it('of config does not exist: config travels whole', () => {
    expect(diffFacets(Facet.FACET_CONFIG, Buffer.alloc(0), Buffer.alloc(0))).toBeUndefined();
    expect(() => applyDelta(Facet.FACET_CONFIG, Buffer.alloc(0), { removed: [], upserted: Buffer.alloc(0) })).toThrow(
      'travels whole',
    );
  });
});
