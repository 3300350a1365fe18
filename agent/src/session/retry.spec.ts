import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diagnosed, planRetry, shouldDiagnose } from './retry.ts';
import type { SessionEnd } from './session-end.ts';

const FAILED: SessionEnd = { kind: 'failed', welcomed: false, code: 14, details: 'read ECONNRESET' };

describe('planRetry', () => {
  it('doubles with each failure up to 15 s, over the full range', () => {
    let state = { failures: 0 };
    const ceilings = [];
    for (let count = 0; count < 7; count += 1) {
      const plan = planRetry(FAILED, state, false, 1);
      expect(planRetry(FAILED, state, false, 0).delayMs).toBe(0);
      ceilings.push(plan.delayMs);
      state = plan.state;
    }
    expect(ceilings).toEqual([2000, 4000, 8000, 15_000, 15_000, 15_000, 15_000]);
  });

  it('begins anew once the server had accepted the host', () => {
    expect(planRetry({ kind: 'silent', welcomed: true }, { failures: 9 }, false, 1)).toEqual({
      delayMs: 1000,
      state: { failures: 0 },
    });
  });

  it('never comes back before the server said so', () => {
    fc.assert(
      fc.property(fc.nat({ max: 600_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (afterMs, random) => {
        const { delayMs } = planRetry(
          { kind: 'reconnect', afterMs, reason: 'shutdown' },
          { failures: 0 },
          false,
          random,
        );
        expect(delayMs).toBeGreaterThanOrEqual(afterMs);
        expect(delayMs).toBeLessThanOrEqual(afterMs + 1000);
      }),
    );
  });

  it('waits minutes where only a person can help', () => {
    expect(planRetry(FAILED, { failures: 0 }, true, 0).delayMs).toBe(300_000);
    expect(planRetry({ kind: 'reconnect', afterMs: 0, reason: 'superseded' }, { failures: 0 }, false, 0).delayMs).toBe(
      60_000,
    );
  });
});

describe('shouldDiagnose', () => {
  it.each<[string, SessionEnd, boolean]>([
    ['a connection that just ended', FAILED, false],
    ['a handshake that says why', { ...FAILED, details: 'tlsv13 alert certificate required' }, true],
    ['a port where nobody listens', { ...FAILED, details: 'connect ECONNREFUSED 10.0.2.2:7781' }, false],
    [
      'a server that cannot just now',
      { ...FAILED, answered: true, details: 'the server cannot take this host' },
      false,
    ],
    ['a session that broke', { ...FAILED, welcomed: true }, false],
    ['a refusal', { ...FAILED, code: 16, welcomed: true }, true],
    ['a retired host', { kind: 'reconnect', afterMs: 1, reason: 'retired' }, true],
    ['a server that moves', { kind: 'reconnect', afterMs: 1, reason: 'shutdown' }, false],
    ['silence', { kind: 'silent', welcomed: true }, false],
  ])('%s', (_what, end, expected) => {
    expect(shouldDiagnose(end, { failures: 0 }, 0)).toBe(expected);
  });

  it('asks about connections that just end when that goes on', () => {
    expect([0, 1, 2, 3, 4].map((failures) => shouldDiagnose(FAILED, { failures }, 0))).toEqual([
      false,
      false,
      false,
      true,
      true,
    ]);
  });

  it('asks about none that ended before our server was met, unless it says why', () => {
    const unmet: SessionEnd = { ...FAILED, met: false };
    expect(shouldDiagnose(unmet, { failures: 50 }, 0)).toBe(false);
    expect(shouldDiagnose({ ...unmet, details: 'not our server: certificate of another CA' }, { failures: 0 }, 0)).toBe(
      true,
    );
  });

  it('asks at most twice a minute, and less and less', () => {
    let state = diagnosed({ failures: 4 }, 1000);
    expect(shouldDiagnose(FAILED, state, 30_999)).toBe(false);
    expect(shouldDiagnose(FAILED, state, 31_000)).toBe(true);
    state = diagnosed(state, 31_000);
    expect([shouldDiagnose(FAILED, state, 90_999), shouldDiagnose(FAILED, state, 91_000)]).toEqual([false, true]);
    for (let count = 0; count < 20; count += 1) state = diagnosed(state, 100_000);
    expect([shouldDiagnose(FAILED, state, 699_999), shouldDiagnose(FAILED, state, 700_000)]).toEqual([false, true]);
    const welcomed = planRetry({ kind: 'silent', welcomed: true }, state, false, 0).state;
    expect(shouldDiagnose(FAILED, { ...welcomed, failures: 4 }, 130_000)).toBe(true);
  });
});
