import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUS_PAYLOAD_MAX_BYTES } from '../bus/bus.ts';
import { MailAssembler, PART_CHARACTERS, splitMail } from './mail-parts.ts';

describe('mail in parts', () => {
  it('arrives as it was sent, whatever the order of its parts', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 50 }), { maxLength: 20 }), fc.integer(), (mail, seed) => {
        const noise = randomBytes(20_000).toString('base64');
        const parts = splitMail('mail-1', { mail, noise });
        expect(parts.length).toBeGreaterThan(1);
        const order = parts
          .map((part, index) => ({ part, key: (index * 7919 + Math.abs(seed)) % 97 }))
          .sort((a, b) => a.key - b.key);
        const assembler = new MailAssembler();
        const out = order.map(({ part }) => assembler.add(part)).filter((got) => got !== undefined);
        expect(out).toEqual([{ mail, noise }]);
      }),
      { numRuns: 50 },
    );
  });

  it('keeps every part below what the bus takes', () => {
    const parts = splitMail('0123456789abcdef0123456789abcdef-123456', {
      noise: randomBytes(100_000).toString('base64'),
    });
    for (const part of parts) expect(Buffer.byteLength(part)).toBeLessThanOrEqual(BUS_PAYLOAD_MAX_BYTES);
    expect(parts.length).toBeGreaterThan(100_000 / PART_CHARACTERS);
  });

  it('makes nothing of a part that is missing, repeated or no part', () => {
    const assembler = new MailAssembler();
    const [first = '', second = ''] = splitMail('m', { noise: randomBytes(8000).toString('base64') });
    expect(assembler.add('nonsense')).toBeUndefined();
    expect(assembler.add('m 5 2 AAAA')).toBeUndefined();
    expect(assembler.add(first)).toBeUndefined();
    expect(assembler.add(first)).toBeUndefined();
    expect(assembler.add(second)).toBeDefined();
  });
});
