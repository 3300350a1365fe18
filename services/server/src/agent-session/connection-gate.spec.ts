import { describe, expect, it } from 'vitest';
import { ConnectionGate } from './connection-gate.ts';

const LIMITS = { connections: 5, unfinished: 3, perSecond: 10, burst: 4 };

describe('ConnectionGate', () => {
  it('holds at most so many unfinished handshakes', () => {
    const gate = new ConnectionGate(LIMITS, 0);
    expect([gate.admit(0), gate.admit(0), gate.admit(0), gate.admit(0)]).toEqual([
      undefined,
      undefined,
      undefined,
      'unfinished',
    ]);
    gate.finished();
    expect(gate.admit(0)).toBeUndefined();
  });

  it('admits at a rate after a burst', () => {
    const gate = new ConnectionGate({ ...LIMITS, unfinished: 100, connections: 100 }, 0);
    expect(Array.from({ length: 5 }, () => gate.admit(0))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      'rate',
    ]);
    expect([gate.admit(100), gate.admit(100)]).toEqual([undefined, 'rate']);
  });

  it('counts an end once, finished or not', () => {
    const gate = new ConnectionGate(LIMITS, 0);
    gate.admit(0);
    gate.admit(0);
    gate.finished();
    gate.closed(true);
    gate.closed(false);
    expect([gate.open, gate.unfinished]).toEqual([0, 0]);
  });

  it('holds at most so many connections', () => {
    const gate = new ConnectionGate({ ...LIMITS, burst: 100 }, 0);
    for (let index = 0; index < 5; index++) {
      gate.admit(0);
      gate.finished();
    }
    expect(gate.admit(0)).toBe('connections');
  });
});
