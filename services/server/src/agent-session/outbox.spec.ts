import { describe, expect, it } from 'vitest';
import { Facet } from '@modfleet/proto';
import type { ServerMessage } from './agent-gateway.ts';
import { Outbox } from './outbox.ts';

const reply = (serverTimeMs: number): ServerMessage => ({
  $case: 'heartbeatReply',
  value: { boottimeMs: 1, serverTimeMs },
});
const drain = (outbox: Outbox): ServerMessage[] => {
  const all: ServerMessage[] = [];
  for (let message = outbox.shift(); message !== undefined; message = outbox.shift()) all.push(message);
  return all;
};

describe('Outbox', () => {
  it('keeps the newest of what a newer one replaces, in the place of the older', () => {
    const outbox = new Outbox();
    outbox.push(reply(1));
    outbox.push({ $case: 'resultAck', value: { actionIds: ['a'] } });
    outbox.push(reply(2));
    expect(drain(outbox)).toEqual([reply(2), { $case: 'resultAck', value: { actionIds: ['a'] } }]);
  });

  it('joins requests for facets', () => {
    const outbox = new Outbox();
    outbox.push({ $case: 'facetRequest', value: { facets: [Facet.FACET_LOADED] } });
    outbox.push({ $case: 'facetRequest', value: { facets: [Facet.FACET_LOADED, Facet.FACET_CONFIG] } });
    expect(drain(outbox)).toEqual([
      { $case: 'facetRequest', value: { facets: [Facet.FACET_LOADED, Facet.FACET_CONFIG] } },
    ]);
  });

  it('is bounded in bytes and lets on again once it is emptier', () => {
    const outbox = new Outbox();
    const big: ServerMessage = { $case: 'resultAck', value: { actionIds: ['x'.repeat(100_000)] } };
    let taken = 0;
    while (outbox.push(big)) taken += 1;
    expect(taken).toBe(10);
    outbox.shift();
    expect(outbox.push(big)).toBe(true);
    expect(drain(outbox)).toHaveLength(10);
    expect(outbox.bytes).toBe(0);
  });
});
