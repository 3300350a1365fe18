import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Turn, WaitingLine } from './waiting-line.ts';

const LIMITS = { waiting: 5, perAddress: { waiting: 3 } };
const everybody = (): Turn => 'in';

describe('WaitingLine', () => {
  it('gives addresses their turns, each in its order', () => {
    const line = new WaitingLine<string>(LIMITS);
    for (const who of ['a1', 'a2', 'a3', 'b1', 'b2']) line.push(who.charAt(0), who);
    const taken = Array.from({ length: 6 }, () => line.take(everybody)?.who);
    expect(taken).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', undefined]);
    expect(line.length).toBe(0);
  });

  it('has so many places, and fewer for one address', () => {
    const line = new WaitingLine<number>(LIMITS);
    expect([1, 2, 3, 4].map((who) => line.push('a', who))).toEqual([true, true, true, false]);
    expect([1, 2, 3].map((who) => line.push('b', who))).toEqual([true, true, false]);
    line.take(everybody);
    expect(line.push('c', 1)).toBe(true);
  });

  it('passes an address by that has to wait, and stops where all have to', () => {
    const line = new WaitingLine<string>(LIMITS);
    line.push('a', 'a1');
    line.push('b', 'b1');
    expect(line.take((address) => (address === 'a' ? 'waits' : 'in'))).toEqual({ who: 'b1', turn: 'in' });
    expect(line.take(() => 'all_wait')).toBeUndefined();
    expect(line.take(() => ({ away: 'connections' }))).toEqual({ who: 'a1', turn: { away: 'connections' } });
  });

  it('lets everybody leave exactly once', () => {
    const step = fc.record({
      address: fc.constantFrom('a', 'b', 'c'),
      does: fc.constantFrom('push', 'take', 'remove'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const line = new WaitingLine<object>(LIMITS);
        const waiting = new Map<object, string>();
        for (const { address, does } of steps) {
          if (does === 'push') {
            const who = {};
            if (line.push(address, who)) waiting.set(who, address);
          } else if (does === 'take') {
            const taken = line.take((each) => (each === address ? 'in' : 'waits'));
            expect(taken === undefined).toBe(![...waiting.values()].includes(address));
            if (taken !== undefined) expect(waiting.delete(taken.who)).toBe(true);
          } else {
            const [who] = [...waiting].find(([, whose]) => whose === address) ?? [{}];
            expect(line.remove(address, who)).toBe(waiting.delete(who));
          }
          expect(line.length).toBe(waiting.size);
        }
      }),
    );
  });
});
