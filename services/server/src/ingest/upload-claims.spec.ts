import { Facet } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { HostTracker } from './host-tracker.ts';
import { UploadClaims } from './upload-claims.ts';

const LOADED = Facet.FACET_LOADED;
const HEX = 'aa'.repeat(32);

function host(name: string, hex = HEX): HostTracker {
  const tracker = new HostTracker({
    hostId: name,
    sessionNo: 1,
    bootId: 'b',
    request: () => undefined,
    turnAway: () => undefined,
  });
  for (const facet of [LOADED, Facet.FACET_PARAMETERS, Facet.FACET_AVAILABLE] as const)
    tracker.announce(facet, { kind: 'digest', hex }, 0);
  return tracker;
}

describe('UploadClaims', () => {
  it('asks one host for content that many announce, and lets all of them know', () => {
    const claims = new UploadClaims();
    const [a, b, c] = [host('a'), host('b'), host('c')];
    expect([a, b, c, a].map((each) => claims.want(each, LOADED, HEX, 0))).toEqual([true, false, false, false]);
    expect(claims.fulfilled(a, LOADED, HEX)).toEqual([a, b, c]);
    expect(claims.size).toBe(0);
  });

  it('passes to the next host after 10 s without progress', () => {
    const claims = new UploadClaims();
    const [a, b] = [host('a'), host('b')];
    claims.want(a, LOADED, HEX, 0);
    claims.want(b, LOADED, HEX, 0);
    claims.progress(a, LOADED, HEX, 5_000);
    expect(claims.overdue(14_999)).toEqual([]);
    expect(claims.overdue(15_000)).toEqual([{ tracker: b, facet: LOADED }]);
    expect(claims.overdue(25_000)).toEqual([{ tracker: a, facet: LOADED }]);
  });

  it('asks the only host again', () => {
    const claims = new UploadClaims();
    const a = host('a');
    claims.want(a, LOADED, HEX, 0);
    expect(claims.overdue(10_000)).toEqual([{ tracker: a, facet: LOADED }]);
  });

  it('gives `available` two minutes: it is collected first', () => {
    const claims = new UploadClaims();
    const a = host('a');
    claims.want(a, Facet.FACET_AVAILABLE, HEX, 0);
    expect(claims.overdue(119_999)).toEqual([]);
    expect(claims.overdue(120_000)).toHaveLength(1);
  });

  it('passes on when the holder leaves or fails, and never to one that left or changed its mind', () => {
    const claims = new UploadClaims();
    const [a, gone, changed, d] = [host('a'), host('gone'), host('changed'), host('d')];
    for (const each of [a, gone, changed, d]) claims.want(each, LOADED, HEX, 0);
    gone.ended = true;
    changed.announce(LOADED, { kind: 'digest', hex: 'bb'.repeat(32) }, 1);
    expect(claims.failed(a, LOADED, HEX, 1)).toEqual([{ tracker: d, facet: LOADED }]);
    expect(claims.left(d, 2)).toEqual([]);
    expect(claims.size).toBe(0);
  });

  it('never shares parameters: they are asked of each host', () => {
    const claims = new UploadClaims();
    expect([host('a'), host('b')].map((each) => claims.want(each, Facet.FACET_PARAMETERS, HEX, 0))).toEqual([
      true,
      true,
    ]);
  });
});
