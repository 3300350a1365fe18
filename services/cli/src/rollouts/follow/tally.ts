import type { Rollout, RolloutCounts, RolloutItem, RolloutTargetOutcomeWord } from '@modfleet/server/api-types';

/** A rollout as it comes: alone, or in an event or an answer. */
export type AnyRollout = Rollout | RolloutItem;

/** Whether the fleet is frozen, as far as it was said. */
export function freezeOf(rollout: AnyRollout): Rollout['freeze'] {
  return 'freeze' in rollout ? rollout.freeze : null;
}

/** Outcomes of hosts that are as asked. */
const AS_ASKED: readonly RolloutTargetOutcomeWord[] = ['succeeded', 'unchanged'];
/** Outcomes of which nobody can say whether the host is as asked: neither done nor safe. */
const NOT_KNOWN: readonly RolloutTargetOutcomeWord[] = ['unreachable', 'unconfirmed', 'interrupted'];
/** In the order in which they are told: the worst first. */
const TOLD: readonly RolloutTargetOutcomeWord[] = [
  'stuck',
  'failed',
  'reverted',
  'refused',
  'drifted',
  'interrupted',
  'unconfirmed',
  'unreachable',
  'expired',
  'cancelled',
  'not_run',
];

/** Hosts by what is known of them. The parts add up to `total`. */
export interface Tally {
  readonly total: number;
  readonly asAsked: number;
  /** Ended in another way, and it is known that the host is not as asked. */
  readonly notSo: number;
  /** Ended, and nobody can say. */
  readonly notKnown: number;
  readonly underWay: number;
  readonly waiting: number;
  readonly pending: number;
  readonly ended: number;
}

export function tally(counts: RolloutCounts): Tally {
  const sum = (words: readonly RolloutTargetOutcomeWord[]) =>
    words.reduce((n, word) => n + (counts.ended[word] ?? 0), 0);
  const ended = Object.values(counts.ended).reduce((n, each) => n + each, 0);
  const asAsked = sum(AS_ASKED);
  const notKnown = sum(NOT_KNOWN);
  return {
    total: counts.total,
    asAsked,
    notSo: ended - asAsked - notKnown,
    notKnown,
    underWay: counts.dispatched,
    waiting: counts.waiting,
    pending: counts.pending,
    ended,
  };
}

/** "2 failed", "1 unreachable": hosts that ended and are not known to be as asked, by outcome. */
export function otherEnds(counts: RolloutCounts): string[] {
  return TOLD.flatMap((word) => {
    const n = counts.ended[word] ?? 0;
    return n === 0 ? [] : [`${n} ${word.replace('_', ' ')}`];
  });
}

/** Nothing more happens by itself. */
export function isEnded({ state }: { readonly state: AnyRollout['state'] }): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'aborted' || state === 'rolled_back';
}

/** It goes on only when a person says so. */
export function needsPerson({ state }: { readonly state: AnyRollout['state'] }): boolean {
  return state === 'paused' || state === 'awaiting_approval';
}
