import { Facet, FacetUpdate, Heartbeat, Hello } from '@modfleet/proto';
import type { FacetStatus } from '@modfleet/proto';
import { expect, it } from 'vitest';
import { SaidFacets } from './said-facets.ts';
import type { ToServer } from './transport.ts';

const loaded = (byte: number): FacetStatus => ({
  facet: Facet.FACET_LOADED,
  digest: Buffer.alloc(32, byte),
  observedAgeMs: 7,
  incapableReason: '',
});
const incapable = (reason: string): FacetStatus => ({ ...loaded(0), digest: Buffer.alloc(0), incapableReason: reason });
const hello = (...facets: FacetStatus[]): ToServer => ({ $case: 'hello', value: Hello.fromPartial({ facets }) });
const beat = (...facets: FacetStatus[]): ToServer => ({ $case: 'heartbeat', value: Heartbeat.fromPartial({ facets }) });
const update = (byte: number): ToServer => ({
  $case: 'facetUpdate',
  value: FacetUpdate.fromPartial({ facet: Facet.FACET_LOADED, digest: Buffer.alloc(32, byte) }),
});

/** What a heartbeat says of `loaded`: digest's first byte, reason, or nothing. */
function heard(message: ToServer): number | string | undefined {
  if (message.$case !== 'heartbeat') throw new Error(message.$case);
  const [status] = message.value.facets;
  expect(status?.observedAgeMs).toBe(7);
  return status?.incapableReason === '' ? status.digest[0] : status?.incapableReason;
}

it('a heartbeat says of a facet only what was not the last word of it', () => {
  const said = new SaidFacets();
  said.say(hello(loaded(1)), false);
  expect(heard(said.say(beat(loaded(1)), true))).toBeUndefined();
  expect(heard(said.say(beat(loaded(2)), true))).toBe(2);
  expect(heard(said.say(beat(loaded(2)), true))).toBeUndefined();
  said.say(update(3), true);
  // The update is what the server heard last: of the older word it must be told.
  expect(heard(said.say(beat(loaded(2)), true))).toBe(2);
  expect(heard(said.say(beat(incapable('gone')), true))).toBe('gone');
  expect(heard(said.say(beat(incapable('gone')), true))).toBe(undefined);
  expect(heard(said.say(beat(incapable('other')), true))).toBe('other');
});

it('a server that knows no short heartbeats is told everything', () => {
  const said = new SaidFacets();
  said.say(hello(loaded(1)), false);
  expect(heard(said.say(beat(loaded(1)), false))).toBe(1);
});
