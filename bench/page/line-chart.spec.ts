import { describe, expect, it } from 'vitest';
import { FRAME, placePoints } from './line-chart.ts';

const GROUND = FRAME.height - FRAME.bottom;

describe('points of a line', () => {
  it('begin at nothing, both ways, so that half as high is half as much', () => {
    const { points } = placePoints(
      [
        { x: 0, y: 0 },
        { x: 500, y: 5 },
        { x: 1_000, y: 10 },
      ],
      null,
    );
    expect(points.map(({ x, y }) => [x, y])).toEqual([
      [FRAME.left, GROUND],
      [(FRAME.left + FRAME.width - FRAME.right) / 2, (GROUND + FRAME.top) / 2],
      [FRAME.width - FRAME.right, FRAME.top],
    ]);
  });

  it('have the reach above them unless it is far away', () => {
    expect(placePoints([{ x: 1, y: 10 }], 20).reachY).toBe(FRAME.top);
    expect(placePoints([{ x: 1, y: 10 }], 1_000).reachY).toBeUndefined();
    expect(placePoints([{ x: 1, y: 10 }], null).reachY).toBeUndefined();
  });

  it('lie on the ground when all are 0', () => {
    expect(placePoints([{ x: 1, y: 0 }], 0).points[0]?.y).toBe(GROUND);
  });
});
