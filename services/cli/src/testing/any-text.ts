import fc from 'fast-check';

/** Text of any code points at all, control characters and lone surrogates too. Cheaper to set up than fast-check's own "binary" strings. */
export function anyText(maxLength: number): fc.Arbitrary<string> {
  const codePoint = fc.oneof(fc.integer({ min: 0, max: 0x2ff }), fc.integer({ min: 0, max: 0x10ffff }));
  return fc.array(codePoint, { maxLength }).map((codes) => String.fromCodePoint(...codes));
}
