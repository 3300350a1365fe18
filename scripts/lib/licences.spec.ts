import { expect, it } from 'vitest';
import { licences, unknownLicences } from './licences.ts';

it('every package that is installed has a licence that was looked at', () => {
  const packages = licences();
  expect(packages.length).toBeGreaterThan(300);
  expect(unknownLicences(packages)).toEqual([]);
});

it('a copyleft licence is told of', () => {
  const strange = [
    { name: 'a', version: '1', licence: 'GPL-3.0-only', tool: true },
    { name: 'b', version: '1', licence: 'MPL-2.0', tool: false },
    { name: 'c', version: '1', licence: 'none', tool: true },
    { name: 'd', version: '1', licence: '(MIT OR GPL-2.0)', tool: false },
  ];
  expect(unknownLicences(strange).map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd']);
  expect(unknownLicences([{ name: 'e', version: '1', licence: '(Apache-2.0 AND BSD-3-Clause)', tool: false }])).toEqual(
    [],
  );
});
