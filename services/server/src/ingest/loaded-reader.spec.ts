import { diffFacets, encodeFacet, Facet, LoadedKmod } from '@modfleet/proto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LoadedReader } from './loaded-reader.ts';

const kmods = (...names: string[]): LoadedKmod[] => names.map((name) => LoadedKmod.fromPartial({ name, size: 4096 }));
const bytes = (list: LoadedKmod[]): Uint8Array => encodeFacet(Facet.FACET_LOADED, { kmods: list });

it('reads what was written, and gives the same object for the same bytes', () => {
  const reader = new LoadedReader();
  const [ext4, floppy] = reader.read(bytes(kmods('ext4', 'floppy'))).kmods;
  expect([ext4, floppy]).toEqual(kmods('ext4', 'floppy'));
  const again = reader.read(bytes([...kmods('ext4'), { ...kmods('floppy')[0]!, size: 8192 }]));
  expect(again.kmods[0]).toBe(ext4);
  expect(again.kmods[1]).toEqual({ ...floppy, size: 8192 });
});

it('takes no bytes that are not canonical', () => {
  const backwards = Buffer.concat([bytes(kmods('b')), bytes(kmods('a'))]);
  expect(() => new LoadedReader().read(backwards)).toThrow('out of order');
  expect(() => new LoadedReader().read(bytes(kmods('a')).subarray(0, 3))).toThrow('no message');
});

it('reads a change as it reads the whole, one after the other, and what stayed is the same object', () => {
  const names = fc.uniqueArray(fc.constantFrom('dm_mod', 'ext4', 'floppy', 'loop', 'nf_tables', 'sctp', 'xfs'));
  fc.assert(
    fc.property(fc.array(names, { minLength: 2 }), (lists) => {
      const reader = new LoadedReader();
      const [first = new Uint8Array(), ...later] = lists.map((list) => bytes(kmods(...list)));
      let loaded = reader.read(first);
      for (const next of later) {
        const change = diffFacets(Facet.FACET_LOADED, loaded.parts.bytes, next);
        if (change === undefined) throw new Error('loaded travels as a change');
        loaded = reader.changed(loaded, change);
        const whole = reader.read(next);
        expect(loaded).toEqual(whole);
        for (const [at, kmod] of loaded.kmods.entries()) expect(kmod).toBe(whole.kmods[at]);
      }
    }),
  );
});
