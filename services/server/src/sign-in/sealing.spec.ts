import { createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Sealing } from './sealing.ts';

const sealing = new Sealing(createSecretKey(randomBytes(32)));

describe('Sealing', () => {
  it('opens what it sealed, as what it was sealed, under its own key only', () => {
    const box = sealing.box(['password', 'account-1'], 'secret');
    expect(box.toString('latin1')).not.toContain('secret');
    expect(sealing.unbox(['password', 'account-1'], box)).toBe('secret');
    expect(sealing.unbox(['password', 'account-2'], box)).toBeUndefined();
    expect(sealing.unbox(['passwordaccount-1'], box)).toBeUndefined();
    expect(new Sealing(createSecretKey(randomBytes(32))).unbox(['password', 'account-1'], box)).toBeUndefined();
  });

  it('notices any changed, cut or added byte', () => {
    const box = sealing.box(['x'], 'some text that is sealed');
    const mac = sealing.mac(['x', 'y']);
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), (at, change) => {
        for (const [whole, opens] of [
          [box, (bytes: Buffer) => sealing.unbox(['x'], bytes) !== undefined],
          [mac, (bytes: Buffer) => sealing.isMac(['x', 'y'], bytes)],
        ] as const) {
          const changed = Buffer.from(whole);
          const index = at % changed.length;
          changed[index] = (changed[index] ?? 0) ^ change;
          expect(opens(changed)).toBe(false);
          expect(opens(whole.subarray(0, index))).toBe(false);
          expect(opens(Buffer.concat([whole, Buffer.from([change])]))).toBe(false);
          expect(opens(whole)).toBe(true);
        }
      }),
    );
  });

  it('tells lists of fields apart that read the same in a row', () => {
    expect(sealing.isMac(['a', 'bc'], sealing.mac(['ab', 'c']))).toBe(false);
    expect(sealing.isMac(['a","b'], sealing.mac(['a', 'b']))).toBe(false);
  });
});
