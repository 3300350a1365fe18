import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bodyDigest, canonicalJson } from './body-digest.ts';

describe('bodyDigest', () => {
  it('does not depend on the order of fields', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).reverse());
        expect(bodyDigest(reversed).equals(bodyDigest(value))).toBe(true);
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('differs for another value, and takes undefined for not there', () => {
    expect(bodyDigest({ a: [1, 2] }).equals(bodyDigest({ a: [2, 1] }))).toBe(false);
    expect(bodyDigest({ a: 1, b: undefined }).equals(bodyDigest({ a: 1 }))).toBe(true);
    expect(bodyDigest({ a: null }).equals(bodyDigest({}))).toBe(false);
  });
});
