import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { leafHash, merkleRoot } from './merkle.ts';

/** RFC 6962, section 2.1, word for word. */
function definition(leaves: readonly Buffer[]): Buffer {
  const [only] = leaves;
  if (only === undefined) return createHash('sha256').digest();
  if (leaves.length === 1) return leafHash(only);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return createHash('sha256')
    .update(Buffer.of(1))
    .update(definition(leaves.slice(0, split)))
    .update(definition(leaves.slice(split)))
    .digest();
}

describe('merkleRoot', () => {
  it('is that of RFC 6962 for every count', () => {
    for (let count = 0; count <= 70; count += 1) {
      const leaves = Array.from({ length: count }, (_, index) => Buffer.from(`leaf ${index}`));
      expect(merkleRoot(leaves.map((leaf) => leafHash(leaf))).equals(definition(leaves))).toBe(true);
    }
  });

  it('is that of the known example: the leaves "", 00, 10, 2021 of the RFC authors’ test data', () => {
    const leaves = ['', '00', '10', '2021'].map((hex) => leafHash(Buffer.from(hex, 'hex')));
    expect(merkleRoot(leaves).toString('hex')).toBe('d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7');
  });
});
