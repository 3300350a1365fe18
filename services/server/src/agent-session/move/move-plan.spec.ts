import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FIRST_MOVE_STATE, type MoveState, planMove, type ReplicaLoad } from './move-plan.ts';

const SETTINGS = { perSecond: 50, tolerancePercent: 10 };
const NONE = { asked: 0, returned: 0 };
const LIVES = 60_000;
const old = (...sessions: number[]): ReplicaLoad[] => sessions.map((count) => ({ sessions: count, upMs: LIVES }));
const totalOf = (here: number, others: readonly ReplicaLoad[]): number =>
  others.reduce((sum, { sessions }) => sum + sessions, here);
/** In a quiet fleet: as many hosts as at the look before. */
const moves = (here: number, others: readonly ReplicaLoad[], settings = SETTINGS): number =>
  planMove(here, others, settings, NONE, { ...FIRST_MOVE_STATE, total: totalOf(here, others) }, 0).move;

describe('planMove', () => {
  it('moves what is beyond the share, in slices of five seconds', () => {
    expect(moves(10_000, old(0))).toBe(250);
    expect(moves(300, old(300, 0))).toBe(100);
    expect(moves(10, old(0, 0))).toBe(6);
  });

  it('leaves an even fleet alone, and one that is nearly so', () => {
    expect(moves(100, old(100, 100))).toBe(0);
    expect(moves(108, old(100, 100))).toBe(0);
    expect(moves(120, old(100, 100))).toBe(13);
    expect(moves(4, old(0))).toBe(0);
    expect(moves(0, old(500))).toBe(0);
  });

  it('knows nobody to move to: alone, or with one that has just begun', () => {
    expect(moves(10_000, [])).toBe(0);
    expect(moves(10_000, [{ sessions: 0, upMs: 3_000 }])).toBe(0);
    // Neither does it count for the share of those who are settled.
    expect(moves(100, [...old(100), { sessions: 0, upMs: 3_000 }])).toBe(0);
  });

  it('waits while many come or go, and for the look after', () => {
    const look = (here: number, there: number, state: MoveState) =>
      planMove(here, old(there), SETTINGS, NONE, state, 0);
    const started = look(1_000, 0, FIRST_MOVE_STATE);
    expect(started.move).toBe(0);
    const grown = look(1_200, 0, started.state);
    expect(grown.move).toBe(0);
    expect(look(1_210, 0, grown.state).move).toBe(250);
    expect(look(900, 0, grown.state).move).toBe(0);
  });

  it('moves nobody when told so', () => expect(moves(10_000, old(0), { ...SETTINGS, perSecond: 0 })).toBe(0));

  it('waits longer and longer while those who were asked come back, and not any more when they stay away', () => {
    let state: MoveState = { ...FIRST_MOVE_STATE, total: 1_000 };
    const pauses: number[] = [];
    let nowMs = 0;
    for (let round = 0; round < 9; round += 1) {
      const planned = planMove(1_000, old(0), SETTINGS, { asked: 100, returned: 90 }, state, nowMs);
      expect(planned.move).toBe(0);
      pauses.push(planned.state.notBeforeMs - nowMs);
      state = planned.state;
      nowMs = state.notBeforeMs;
      expect(planMove(1_000, old(0), SETTINGS, NONE, state, nowMs - 1).move).toBe(0);
      expect(planMove(1_000, old(0), SETTINGS, NONE, state, nowMs).move).toBe(250);
    }
    expect(pauses.slice(0, 3)).toEqual([10_000, 20_000, 40_000]);
    expect(pauses.at(-1)).toBe(600_000);
    const good = planMove(1_000, old(0), SETTINGS, { asked: 100, returned: 75 }, state, nowMs);
    expect(good).toEqual({ move: 250, state: { ...FIRST_MOVE_STATE, total: 1_000 } });
  });

  it('makes any fleet even, within the tolerance, and then leaves it alone', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20_000), { minLength: 2, maxLength: 8 }), (start) => {
        const counts = [...start];
        const total = counts.reduce((sum, count) => sum + count, 0);
        for (let round = 0; round < 1_000; round += 1) {
          // All decide by the same beats; a balancer sends whoever comes to the one that holds the fewest.
          const planned = counts.map((here, index) => moves(here, old(...counts.filter((_, each) => each !== index))));
          if (planned.every((move) => move === 0)) break;
          let coming = 0;
          planned.forEach((move, index) => {
            counts[index] = (counts[index] ?? 0) - move;
            coming += move;
          });
          for (; coming > 0; coming -= 1) {
            const least = counts.indexOf(Math.min(...counts));
            counts[least] = (counts[least] ?? 0) + 1;
          }
        }
        const share = total / counts.length;
        for (const count of counts) expect(count).toBeLessThanOrEqual(share + Math.max(2, share / 10) + 1);
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(total);
      }),
      { numRuns: 30 },
    );
  });
});
