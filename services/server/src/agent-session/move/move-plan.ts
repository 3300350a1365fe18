/**
 * How many hosts a replica asks to move now, so that each comes to hold its share. Pure: who lives and what each holds goes in.
 *
 * INVARIANTS
 * - A replica moves only what it has beyond its own share, so that two that decide at once do not both move the same excess.
 * - Below the tolerance nothing moves: an even fleet is left alone.
 * - Nothing moves while many come or go: the others' numbers are seconds old, and after a storm all is different.
 * - Nothing moves towards a replica that has only just begun: it may be one that fails and begins again.
 * - Where those who were asked come back here all the same (a balancer that keeps a client on its server), the pauses grow.
 */

/** A replica that takes hosts. */
export interface ReplicaLoad {
  readonly sessions: number;
  readonly upMs: number;
}

export interface MoveSettings {
  /** Hosts that are asked a second, at most. 0: none, ever. */
  readonly perSecond: number;
  /** Percent of its share that a replica may hold beyond it. */
  readonly tolerancePercent: number;
}

/** What became of the slice before. */
export interface SliceEnd {
  readonly asked: number;
  /** Of them, those that are here again. */
  readonly returned: number;
}

export interface MoveState {
  /** Slices in a row that came back. */
  readonly fruitless: number;
  /** By the clock of `nowMs`. */
  readonly notBeforeMs: number;
  /** Hosts of all replicas at the look before. */
  readonly total: number;
}

export const FIRST_MOVE_STATE: MoveState = { fruitless: 0, notBeforeMs: 0, total: 0 };

/** A slice is decided so often: what the one before came to is in the beats of all by then. */
export const SLICE_MS = 5_000;
/** A replica that lived so long goes on living. */
const SETTLED_MS = 10_000;
const PAUSE_MS = 10_000;
const PAUSE_MAX_MS = 600_000;
/** Of all hosts: what may come or go between two looks of a quiet fleet. */
const QUIET_SHARE = 1 / 20;
/** Fewer are not worth a word, in either direction. */
const FEW = 2;

export function planMove(
  here: number,
  others: readonly ReplicaLoad[],
  settings: MoveSettings,
  before: SliceEnd,
  state: MoveState,
  nowMs: number,
): { readonly move: number; readonly state: MoveState } {
  const total = others.reduce((sum, { sessions }) => sum + sessions, here);
  const isQuiet = Math.abs(total - state.total) <= Math.max(FEW, total * QUIET_SHARE);
  const next = { ...judge(before, state, nowMs), total };
  const settled = others.filter(({ upMs }) => upMs >= SETTLED_MS);
  const share = settled.reduce((sum, { sessions }) => sum + sessions, here) / (settled.length + 1);
  const excess = here - share;
  const tolerated = Math.max(FEW, (share * settings.tolerancePercent) / 100);
  if (settled.length === 0 || !isQuiet || excess <= tolerated || nowMs < next.notBeforeMs)
    return { move: 0, state: next };
  return { move: Math.min(Math.floor(excess), (settings.perSecond * SLICE_MS) / 1_000), state: next };
}

/** Of a round-robin balancer before two replicas one half comes back by chance; three quarters do not. */
function judge({ asked, returned }: SliceEnd, state: MoveState, nowMs: number): Omit<MoveState, 'total'> {
  if (asked === 0) return state;
  if (returned * 4 <= asked * 3) return { fruitless: 0, notBeforeMs: 0 };
  const pauseMs = Math.min(PAUSE_MAX_MS, PAUSE_MS * 2 ** state.fruitless);
  return { fruitless: state.fruitless + 1, notBeforeMs: nowMs + pauseMs };
}
