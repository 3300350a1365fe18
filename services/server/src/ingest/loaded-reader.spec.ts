import { encodeFacet, Facet, LoadedKmod } from '@modfleet/proto';
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
