import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { epochAfter } from './server-clock.ts';

const EPOCH = 1_700_000_000_000;

describe('epochAfter', () => {
  it('takes the middle of what the first reading allows', () => {
    expect(epochAfter(undefined, { serverMs: EPOCH + 1_005, askedMs: 1_000, heardMs: 1_010 })).toBe(EPOCH);
  });

  it('stays where a slow answer contradicts nothing, and moves no further than it must', () => {
    expect(epochAfter(EPOCH, { serverMs: EPOCH + 3_010, askedMs: 3_000, heardMs: 3_900 })).toBe(EPOCH);
    expect(epochAfter(EPOCH, { serverMs: EPOCH + 8_000, askedMs: 5_000, heardMs: 5_002 })).toBe(EPOCH + 2_998);
    expect(epochAfter(EPOCH, { serverMs: EPOCH + 2_000, askedMs: 5_000, heardMs: 5_002 })).toBe(EPOCH - 3_000);
  });

  it('of a clock that keeps time never moves once it is right, however slow the answers', () => {
    const delays = fc.array(
      fc.tuple(fc.double({ min: 0, max: 900, noNaN: true }), fc.double({ min: 0, max: 900, noNaN: true })),
    );
    fc.assert(
      fc.property(delays, (all) => {
        let steady = 0;
        let epoch = EPOCH;
        for (const [there, back] of all) {
          const askedMs = (steady += 2_000);
          steady += there + back;
          epoch = epochAfter(epoch, { serverMs: EPOCH + askedMs + there, askedMs, heardMs: steady });
          expect(epoch).toBeCloseTo(EPOCH, 3);
        }
      }),
    );
  });
});
