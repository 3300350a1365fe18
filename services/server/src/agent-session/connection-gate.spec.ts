import { describe, expect, it } from 'vitest';
import { ConnectionGate } from './connection-gate.ts';

const LIMITS = {
  connections: 5,
  unfinished: 3,
  perAddress: { connections: 100, unfinished: 100 },
  perSecond: 10,
  burst: 4,
};
const A = '192.0.2.1';
const B = '192.0.2.2';

describe('ConnectionGate', () => {
  it('holds at most so many unfinished handshakes', () => {
    const gate = new ConnectionGate(LIMITS, 0);
    expect([gate.admit(A, 0), gate.admit(A, 0), gate.admit(B, 0), gate.admit(B, 0)]).toEqual([
      undefined,
      undefined,
      undefined,
      'unfinished',
    ]);
    gate.finished(A);
    expect(gate.admit(A, 0)).toBeUndefined();
  });

  it('admits at a rate after a burst', () => {
    const gate = new ConnectionGate({ ...LIMITS, unfinished: 100, connections: 100 }, 0);
    expect(Array.from({ length: 5 }, () => gate.admit(A, 0))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      'rate',
    ]);
    expect([gate.admit(A, 100), gate.admit(A, 100)]).toEqual([undefined, 'rate']);
  });

  it('counts an end once, finished or not, and forgets an address without connections', () => {
    const gate = new ConnectionGate(LIMITS, 0);
    gate.admit(A, 0);
    gate.admit(A, 0);
    gate.admit(B, 0);
    gate.finished(A);
    gate.closed(A, true);
    gate.closed(A, false);
    expect([gate.open, gate.unfinished, gate.addresses]).toEqual([1, 1, 1]);
    gate.closed(B, false);
    expect([gate.open, gate.unfinished, gate.addresses]).toEqual([0, 0, 0]);
  });

  it('holds at most so many connections', () => {
    const gate = new ConnectionGate({ ...LIMITS, burst: 100 }, 0);
    for (let index = 0; index < 5; index++) {
      gate.admit(A, 0);
      gate.finished(A);
    }
    expect(gate.admit(B, 0)).toBe('connections');
  });

  it('keeps one address from taking what is there for all, and takes nothing for what it refuses it', () => {
    const limits = { ...LIMITS, unfinished: 10, connections: 10, perAddress: { connections: 3, unfinished: 2 } };
    const gate = new ConnectionGate(limits, 0);
    expect([gate.admit(A, 0), gate.admit(A, 0), gate.admit(A, 0)]).toEqual([
      undefined,
      undefined,
      'address_unfinished',
    ]);
    gate.finished(A);
    expect(gate.admit(A, 0)).toBeUndefined();
    gate.finished(A);
    expect(gate.admit(A, 0)).toBe('address_connections');
    // The fourth of the burst.
    expect([gate.admit(B, 0), gate.admit(B, 0)]).toEqual([undefined, 'rate']);
    gate.closed(A, true);
    expect(gate.admit(A, 100)).toBeUndefined();
  });
});
