import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Facet } from '../gen/modfleet/types/v1/facet.ts';
import type { LoadedKmod } from '../gen/modfleet/types/v1/kmod.ts';
import { FacetEncoder } from './facet-encoder.ts';
import { encodeFacet } from './facet-encoding.ts';
import { facetArbitraries } from './testing/facet-arbitraries.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

it('encodes a facet that changes a little each time as it is encoded whole', () => {
  fc.assert(
    fc.property(
      facetArbitraries[Facet.FACET_LOADED],
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 9 })), { maxLength: 6 }),
      (first, changes) => {
        const encoder = new FacetEncoder(Facet.FACET_LOADED);
        let kmods: LoadedKmod[] = [...first.kmods];
        expect(hex(encoder.encode({ kmods }))).toBe(hex(encodeFacet(Facet.FACET_LOADED, { kmods })));
        for (const [where, size] of changes) {
          const at = kmods.length === 0 ? 0 : where % kmods.length;
          const one = kmods[at];
          kmods = size === 0 ? kmods.toSpliced(at, 1) : one === undefined ? kmods : kmods.with(at, { ...one, size });
          expect(hex(encoder.encode({ kmods }))).toBe(hex(encodeFacet(Facet.FACET_LOADED, { kmods })));
        }
      },
    ),
  );
});
