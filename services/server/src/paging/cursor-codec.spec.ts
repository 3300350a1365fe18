import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openCursor, sealCursor } from './cursor-codec.ts';

const secret = Buffer.alloc(32, 7);
const now = 1_800_000_000_000;
const scope = { list: 'hosts', selector: 'env=prod' };
const position = { key: ['web-1', 'id-1'], asOfMs: now };

describe('cursors', () => {
  it('open to what was sealed', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.integer()), { minLength: 1, maxLength: 4 }), (key) => {
        expect(openCursor(secret, scope, sealCursor(secret, scope, { key, asOfMs: now }), now)).toEqual({
          key,
          asOfMs: now,
        });
      }),
    );
  });

  it('are refused when a single bit is another', () => {
    const bytes = Buffer.from(sealCursor(secret, scope, position), 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const forged = Buffer.from(bytes);
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => openCursor(secret, scope, forged.toString('base64url'), now)).toThrow('no cursor of this server');
    }
  });

  it('are refused under another secret, list or filter, and after a day', () => {
    const cursor = sealCursor(secret, scope, position);
    expect(() => openCursor(Buffer.alloc(32, 8), scope, cursor, now)).toThrow('no cursor of this server');
    expect(() => openCursor(secret, { ...scope, list: 'kmods' }, cursor, now)).toThrow('another list');
    expect(() => openCursor(secret, { list: 'hosts', selector: 'env=dev' }, cursor, now)).toThrow('other filters');
    expect(() => openCursor(secret, scope, cursor, now + 25 * 3_600_000)).toThrow('older than a day');
    expect(openCursor(secret, { selector: 'env=prod', list: 'hosts', name: undefined }, cursor, now)).toEqual(position);
  });

  it.each(['', 'x', 'AAAA', '!'.repeat(40), 'A'.repeat(2000)])('refuse %j', (text) => {
    expect(() => openCursor(secret, scope, text, now)).toThrow('no cursor of this server');
  });
});
