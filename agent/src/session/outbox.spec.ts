import { describe, expect, it } from 'vitest';
import { ActionPhase, Outcome } from '@modfleet/proto';
import { Outbox, OutboxFullError } from './outbox.ts';
import { fakeResult } from './testing/fake-engine.ts';
import type { ToServer } from './transport.ts';

type Sign = Extract<ToServer, { $case: 'heartbeat' }>;
type Answer = Extract<ToServer, { $case: 'queryAnswer' }>;

const beat = (boottimeMs: number): Sign => ({ $case: 'heartbeat', value: { boottimeMs, facets: [] } });
const answer = (queryId: string, error = ''): Answer => ({
  $case: 'queryAnswer',
  value: { queryId, kmods: [], error, health: undefined },
});
const result = (actionId: string, message = '') =>
  ({ $case: 'actionResult', value: fakeResult(actionId, Outcome.OUTCOME_SUCCEEDED, message) }) as const;

describe('outbox', () => {
  it('gives signs of life first, then reports in order, then answers', () => {
    const outbox = new Outbox();
    outbox.pushAnswer(answer('q'));
    outbox.pushReport({
      $case: 'actionProgress',
      value: { actionId: 'a', phase: ActionPhase.ACTION_PHASE_STARTED, verdict: undefined, confirmDeadlineMs: 0 },
    });
    outbox.pushReport(result('a'));
    outbox.pushSign(beat(1));
    const kinds = [];
    for (let message = outbox.shift(); message !== undefined; message = outbox.shift()) kinds.push(message.$case);
    expect(kinds).toEqual(['heartbeat', 'actionProgress', 'actionResult', 'queryAnswer']);
    expect(outbox.heldBytes).toBe(0);
  });

  it('keeps the newest of each sign of life only', () => {
    const outbox = new Outbox();
    outbox.pushSign(beat(1));
    outbox.pushSign({ $case: 'pong', value: { token: 7 } });
    outbox.pushSign(beat(2));
    expect([outbox.shift(), outbox.shift(), outbox.shift()]).toEqual([
      { $case: 'pong', value: { token: 7 } },
      beat(2),
      undefined,
    ]);
    expect(outbox.heldBytes).toBe(0);
  });

  it('drops the oldest answers, never a report', () => {
    const outbox = new Outbox();
    for (const id of ['1', '2', '3']) outbox.pushAnswer(answer(id, 'x'.repeat(500_000)));
    expect(outbox.heldBytes).toBeLessThanOrEqual(1024 * 1024);
    expect(outbox.shift()).toMatchObject({ value: { queryId: '2' } });
    const reports = new Outbox();
    expect(() => {
      for (let count = 0; count < 5; count += 1) reports.pushReport(result(`a${count}`, 'x'.repeat(1024 * 1024)));
    }).toThrow(OutboxFullError);
  });
});
