/**
 * The rotation of the CA as a state machine: what each step makes of the set. Pure; no file, no clock.
 *
 * INVARIANTS
 * - Two phases that follow each other get along: whatever a replica or host of the one presents, those of the other accept. So replicas and hosts may
 *   take a change over one after the other.
 * - Every step has its reverse, as long as the key is there that it needs.
 * - `generation` only grows: a host never takes an older set than it has.
 */
import { shortId, type CaPhase, type CaRecord, type CaSet, type FormerCa } from './ca-set.ts';

export type CaStep = 'begin' | 'issue' | 'finish' | 'back';

export type CaEvent = { readonly step: 'begin'; readonly next: CaRecord } | { readonly step: Exclude<CaStep, 'begin'> };

/** `erase`: CAs whose keys nothing needs any more. */
export type CaDecision =
  | { readonly kind: 'taken'; readonly set: CaSet; readonly erase: readonly CaRecord[] }
  | { readonly kind: 'refused'; readonly reason: string };

/** CAs that are remembered after their end: enough for as long as certificates of theirs can turn up. */
const FORMER_MAX = 16;

type Change = Pick<CaSet, 'phase' | 'current' | 'next' | 'former'> & { readonly erase?: CaRecord };

const NO_ROTATION = 'no rotation is under way: begin one with "modfleet-server ca rotate begin"';
const UNDER_WAY = 'a rotation is under way: finish it, or take it back with "modfleet-server ca rotate back"';

const STEPS = {
  single: {
    begin: (set, event) =>
      event.step === 'begin' ? { ...set, phase: 'trust_both', next: event.next } : 'begin needs a new CA',
    issue: () => NO_ROTATION,
    finish: () => NO_ROTATION,
    back: (set) => again(set),
  },
  trust_both: {
    begin: () => UNDER_WAY,
    issue: (set) => ({ ...set, phase: 'issue_new' }),
    finish: () => 'the new CA does not issue yet: go on with "modfleet-server ca rotate issue" first',
    back: (set, _event, now) => abandoned(set, now),
  },
  issue_new: {
    begin: () => UNDER_WAY,
    issue: () => 'the new CA issues already: the next step is "modfleet-server ca rotate finish"',
    finish: (set, _event, now) => replaced(set, now),
    back: (set) => ({ ...set, phase: 'trust_both' }),
  },
} as const satisfies Record<CaPhase, Record<CaStep, (set: CaSet, event: CaEvent, now: Date) => Change | string>>;

export function advance(set: CaSet, event: CaEvent, now: Date): CaDecision {
  const transition: (set: CaSet, event: CaEvent, now: Date) => Change | string = STEPS[set.phase][event.step];
  const change = transition(set, event, now);
  if (typeof change === 'string') return { kind: 'refused', reason: change };
  const { phase, current, next, former, erase } = change;
  const dropped = former.slice(FORMER_MAX).filter((ca) => ca.key !== null);
  return {
    kind: 'taken',
    erase: erase === undefined ? dropped : [erase, ...dropped],
    set: {
      format: 1,
      generation: Math.max(set.generation + 1, now.getTime()),
      phase,
      changedAt: now.toISOString(),
      current,
      next,
      former: former.slice(0, FORMER_MAX),
    },
  };
}

/** The keys of all former CAs are erased: no end of one is to be taken back any more. */
export function forget(set: CaSet): CaDecision {
  if (set.phase !== 'single') return { kind: 'refused', reason: UNDER_WAY };
  const erase = set.former.filter((ca) => ca.key !== null);
  if (erase.length === 0)
    return { kind: 'refused', reason: 'no key of a former CA is kept: there is nothing to forget' };
  return { kind: 'taken', erase, set: { ...set, former: set.former.map((ca) => ({ ...ca, key: null })) } };
}

/** The last CA that was replaced, when its end can be taken back. */
export function returnable(set: CaSet): FormerCa | undefined {
  const last = set.former.find((ca) => ca.id === set.current.vouchedBy?.id && ca.why === 'replaced');
  return last?.key === null ? undefined : last;
}

function replaced(set: CaSet, now: Date): Change | string {
  if (set.next === null) return NO_ROTATION;
  const old: FormerCa = { ...set.current, until: now.toISOString(), why: 'replaced' };
  return { phase: 'single', current: set.next, next: null, former: [old, ...set.former] };
}

/** What hosts may have learned of it is kept: a certificate by it is one of ours. */
function abandoned(set: CaSet, now: Date): Change | string {
  if (set.next === null) return NO_ROTATION;
  const given: FormerCa = { ...set.next, key: null, until: now.toISOString(), why: 'abandoned' };
  return { phase: 'single', current: set.current, next: null, former: [given, ...set.former], erase: set.next };
}

function again(set: CaSet): Change | string {
  const last = returnable(set);
  if (last === undefined) {
    const before = set.former.find((ca) => ca.id === set.current.vouchedBy?.id);
    return before === undefined
      ? 'there is no step to take back: this CA was never rotated'
      : `the key of the former CA ${shortId(before.id)} was erased: its end cannot be taken back`;
  }
  const { until: _until, why: _why, ...record } = last;
  return {
    phase: 'issue_new',
    current: record,
    next: set.current,
    former: set.former.filter((ca) => ca.id !== last.id),
  };
}
