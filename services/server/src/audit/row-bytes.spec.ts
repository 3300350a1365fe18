import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fieldBytes } from './row-bytes.ts';

describe('fieldBytes', () => {
  it('differ for any two lists of fields that differ', () => {
    const field = fc.oneof(fc.constant(null), fc.string({ maxLength: 3 }));
    const fields = fc.array(field, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fields, fields, (left, right) => {
        const same = JSON.stringify(left) === JSON.stringify(right);
        expect(fieldBytes('d', left).equals(fieldBytes('d', right))).toBe(same);
      }),
      { numRuns: 2_000 },
    );
  });

  it('keep null and the empty text apart, and one field from two', () => {
    expect(fieldBytes('d', [null]).equals(fieldBytes('d', ['']))).toBe(false);
    expect(fieldBytes('d', ['ab']).equals(fieldBytes('d', ['a', 'b']))).toBe(false);
  });
});
