import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TxEnd } from '../database/database.service.ts';
import { type Lane, Lanes } from './lanes.ts';

describe('Lanes', () => {
  it('give each committed row the next number of its lane, whatever becomes of the others', () => {
    const end = fc.constantFrom<TxEnd>('committed', 'rolled_back', 'unknown');
    const step = fc.record({ begin: fc.boolean(), which: fc.nat(), rows: fc.integer({ min: 0, max: 3 }), end });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const lanes = new Lanes();
        const open: Lane[] = [];
        const stored = new Map<number, number[]>();
        for (const { begin, which, rows, end } of steps) {
          if (begin || open.length === 0) {
            open.push(lanes.take());
            continue;
          }
          const [lane] = open.splice(which % open.length, 1);
          if (lane === undefined) continue;
          const numbers = Array.from({ length: rows }, (_, index) => lane.head + 1 + index);
          // What became of `unknown` is told by a coin: both must be harmless.
          const commits = end === 'committed' || (end === 'unknown' && which % 2 === 0);
          if (commits) stored.set(lane.lane, [...(stored.get(lane.lane) ?? []), ...numbers]);
          lanes.release(lane, rows, end);
        }
        expect(new Set(open.map(({ lane }) => lane)).size).toBe(open.length);
        for (const numbers of stored.values()) expect(numbers).toEqual(numbers.map((_, index) => index + 1));
        for (const { lane, head } of lanes.heads()) expect(stored.get(lane)?.length).toBeGreaterThanOrEqual(head);
      }),
    );
  });
});
