import { ALL_OUTCOME_WORDS } from '@modfleet/proto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TRANSITIONS, decide, isAccepted, type ActionEvent, type ActionSnapshot } from './action.machine.ts';
import {
  ACTION_STATES,
  RESULT_GRACE_MS,
  isEnded,
  isInFlight,
  isOpenToReport,
  isReportable,
  type ActionState,
} from './action.states.ts';

const T0 = Date.parse('2026-01-01T00:00:00Z');
const EXPIRES = new Date(T0 + 120_000);

const NEW: ActionSnapshot = {
  state: 'queued',
  outcome: null,
  resolvedOutcome: null,
  expiresAt: EXPIRES,
  dispatchedAt: null,
  startedAt: null,
  endedAt: null,
  resolvedAt: null,
  cancelRequestedAt: null,
  cancelledBy: null,
  confirmWindowSeconds: 0,
  confirmDeadline: null,
  confirmOfferedAt: null,
  confirmPeer: null,
};

const event: fc.Arbitrary<ActionEvent> = fc.oneof(
  fc.constantFrom<ActionEvent>(
    { kind: 'dispatch' },
    { kind: 'not_sent' },
    { kind: 'received' },
    { kind: 'started' },
    { kind: 'cancel', by: 'ops' },
    { kind: 'withdraw', why: 'the account ops was disabled' },
    { kind: 'cancel_refused' },
    { kind: 'epoch_raised', to: 2 },
    { kind: 'sweep' },
  ),
  fc.constantFrom(undefined, ...ALL_OUTCOME_WORDS).map((outcome): ActionEvent => ({ kind: 'result', outcome })),
);
/** A history: events with the milliseconds that pass before each. */
const history = fc.array(fc.tuple(event, fc.integer({ min: 0, max: 90_000 })), { maxLength: 25 });

function replay(events: readonly (readonly [ActionEvent, number])[], visit: (step: Step) => void): ActionSnapshot {
  let now = T0;
  let action = NEW;
  for (const [happened, passed] of events) {
    now += passed;
    const decision = decide(action, happened, new Date(now));
    visit({
      before: action,
      event: happened,
      after: decision.next,
      effects: decision.effects.map((effect) => effect.kind),
      now,
    });
    action = decision.next;
  }
  return action;
}
interface Step {
  readonly before: ActionSnapshot;
  readonly event: ActionEvent;
  readonly after: ActionSnapshot;
  readonly effects: readonly string[];
  readonly now: number;
}

function always(claim: (step: Step) => void): void {
  fc.assert(
    fc.property(history, (events) => {
      replay(events, claim);
    }),
    { numRuns: 1000 },
  );
}

describe('action machine, over any history', () => {
  it('never changes an outcome once there is one', () => {
    always(({ before, after }) => {
      if (before.outcome !== null) expect(after.outcome).toBe(before.outcome);
      if (before.resolvedOutcome !== null) expect(after.resolvedOutcome).toBe(before.resolvedOutcome);
    });
  });

  it('has an outcome exactly when it ended', () => {
    always(({ after }) => expect(after.outcome !== null).toBe(isEnded(after.state)));
  });

  it('says cancelled or expired by itself only of what was never sent', () => {
    always(({ before, event: happened, after }) => {
      if (before.outcome !== null || after.outcome === null || happened.kind === 'result') return;
      if (after.outcome === 'cancelled' || after.outcome === 'expired') expect(before.state).toBe('queued');
      else expect(after.outcome).toBe('unconfirmed');
    });
  });

  it('acknowledges every result, and stores it or keeps it apart unless it is a replay', () => {
    always(({ before, event: happened, effects }) => {
      if (happened.kind !== 'result') return expect(effects).not.toContain('acknowledge');
      expect(effects).toContain('acknowledge');
      const replayed = happened.outcome === (before.resolvedOutcome ?? before.outcome) && isEnded(before.state);
      const kept = effects.includes('store_result') || effects.includes('keep_result_apart');
      expect(kept).toBe(!(replayed && happened.outcome !== undefined && isReportable(happened.outcome)));
    });
  });

  it('goes back only from dispatched to queued, and only when nothing was written', () => {
    always(({ before, event: happened, after }) => {
      const back = ACTION_STATES.indexOf(after.state) < ACTION_STATES.indexOf(before.state);
      if (back) expect([before.state, happened.kind, after.state]).toEqual(['dispatched', 'not_sent', 'queued']);
    });
  });

  it('resolves only unconfirmed and stuck', () => {
    always(({ before, after }) => {
      if (after.resolvedOutcome === null) return;
      expect(after.outcome !== null && isOpenToReport(after.outcome)).toBe(true);
      if (before.resolvedOutcome === null) expect(after.resolvedAt).not.toBeNull();
    });
  });

  it('moves the queue of a host exactly when its action in flight ends', () => {
    always(({ before, after, effects }) => {
      const ended = isInFlight(before.state) && isEnded(after.state);
      if (ended) expect(effects).toContain('advance_queue');
    });
  });

  it('changes nothing for an event that the table does not name', () => {
    always(({ before, event: happened, after, effects }) => {
      if (isAccepted(before.state, happened.kind)) return;
      expect(after).toBe(before);
      expect(effects).toEqual([]);
    });
  });

  it('goes where the table says', () => {
    always(({ before, event: happened, after }) => {
      if (after.state === before.state || !isAccepted(before.state, happened.kind)) return;
      const row: Partial<Record<ActionEvent['kind'], ActionState | 'same'>> = TRANSITIONS[before.state];
      expect(after.state).toBe(row[happened.kind]);
    });
  });

  it('is closed by expiry and grace, whatever was lost', () => {
    fc.assert(
      fc.property(history, (events) => {
        const left = replay(events, () => {});
        const late = decide(left, { kind: 'sweep' }, new Date(EXPIRES.getTime() + RESULT_GRACE_MS));
        expect(isEnded(late.next.state)).toBe(true);
      }),
    );
  });
});

describe('action machine, case by case', () => {
  const inState = (state: ActionState, more: Partial<ActionSnapshot> = {}): ActionSnapshot => ({
    ...NEW,
    state,
    ...more,
  });
  const at = (ms: number): Date => new Date(T0 + ms);

  it('a cancel after the dispatch asks the host and promises nothing', () => {
    const { next, effects } = decide(inState('dispatched'), { kind: 'cancel', by: 'ops' }, at(1));
    expect(next.state).toBe('dispatched');
    expect(next.outcome).toBeNull();
    expect(effects.map((effect) => effect.kind)).toEqual(['record', 'send_cancel']);
  });

  it('a refused cancel says nothing of the start, and may be asked for again', () => {
    const asked = decide(inState('dispatched'), { kind: 'cancel', by: 'ops' }, at(1)).next;
    const { next } = decide(asked, { kind: 'cancel_refused' }, at(2));
    expect(next).toEqual(inState('dispatched'));
  });

  it('a second cancel asks again without a second line', () => {
    const first = decide(inState('received'), { kind: 'cancel', by: 'ops' }, at(1)).next;
    const second = decide(first, { kind: 'cancel', by: 'other' }, at(2));
    expect(second.next).toEqual(first);
    expect(second.effects.map((effect) => effect.kind)).toEqual(['send_cancel']);
  });

  it('dispatched is not unconfirmed before the grace has passed', () => {
    const before = decide(inState('dispatched'), { kind: 'sweep' }, at(120_000 + RESULT_GRACE_MS - 1));
    expect(before.next.state).toBe('dispatched');
    const after = decide(inState('dispatched'), { kind: 'sweep' }, at(120_000 + RESULT_GRACE_MS));
    expect(after.next.outcome).toBe('unconfirmed');
  });

  it.each(ACTION_STATES.filter((state) => !isEnded(state)))(
    'a new epoch ends what is %s as unconfirmed, and never says that it did not run',
    (state) => {
      const { next, effects } = decide(inState(state), { kind: 'epoch_raised', to: 2 }, at(1));
      expect(next).toMatchObject({ state: 'ended', outcome: 'unconfirmed', endedAt: at(1) });
      expect(effects[0]).toMatchObject({ kind: 'record', note: expect.stringMatching(/may have run|it started/) });
      const late = decide(next, { kind: 'result', outcome: 'expired' }, at(2));
      expect(late.next.resolvedOutcome).toBe('expired');
    },
  );

  it('a late result resolves unconfirmed and keeps both', () => {
    const lost = inState('ended', { outcome: 'unconfirmed', endedAt: at(180_000) });
    const { next } = decide(lost, { kind: 'result', outcome: 'succeeded', startedAt: at(119_000) }, at(500_000));
    expect(next).toMatchObject({
      outcome: 'unconfirmed',
      resolvedOutcome: 'succeeded',
      endedAt: at(180_000),
      resolvedAt: at(500_000),
    });
    const again = decide(next, { kind: 'result', outcome: 'failed' }, at(600_000));
    expect(again.next).toEqual(next);
    expect(again.effects.map((effect) => effect.kind)).toEqual(['record', 'keep_result_apart', 'acknowledge']);
  });

  it('a result that contradicts cancelled is kept apart', () => {
    const cancelled = inState('ended', { outcome: 'cancelled', endedAt: at(5) });
    const { next, effects } = decide(cancelled, { kind: 'result', outcome: 'succeeded' }, at(9));
    expect(next).toBe(cancelled);
    expect(effects).toContainEqual({
      kind: 'keep_result_apart',
      why: 'the host reports succeeded for an action that had ended as cancelled',
    });
  });

  it('a host cannot report unconfirmed', () => {
    const { next, effects } = decide(inState('started'), { kind: 'result', outcome: 'unconfirmed' }, at(9));
    expect(next.state).toBe('started');
    expect(effects.map((effect) => effect.kind)).toContain('keep_result_apart');
  });
});
