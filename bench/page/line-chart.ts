/** A chart's frame, in units of its own picture. */
export const FRAME = { width: 340, height: 170, left: 14, right: 34, top: 26, bottom: 24 } as const;

export interface ChartPoint {
  readonly x: number;
  readonly y: number;
}

export interface Placed {
  readonly points: readonly (ChartPoint & { readonly of: ChartPoint })[];
  /** Height of the reach, where it is within the picture. */
  readonly reachY: number | undefined;
}

/** A reach far above all points would press them to the ground: it is then said, not drawn. */
const REACH_DRAWN_UP_TO = 4;

/** From 0 to the highest, both ways: a line half as high is half as much. */
export function placePoints(points: readonly ChartPoint[], reach: number | null): Placed {
  const most = Math.max(...points.map(({ y }) => y));
  const isDrawn = reach !== null && reach <= REACH_DRAWN_UP_TO * most;
  const top = Math.max(most, isDrawn ? reach : 0) || 1;
  const right = Math.max(...points.map(({ x }) => x)) || 1;
  const across = (x: number): number => round(FRAME.left + (x / right) * (FRAME.width - FRAME.left - FRAME.right));
  const up = (y: number): number =>
    round(FRAME.height - FRAME.bottom - (y / top) * (FRAME.height - FRAME.top - FRAME.bottom));
  return {
    points: points.map((of) => ({ x: across(of.x), y: up(of.y), of })),
    reachY: isDrawn ? up(reach) : undefined,
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
