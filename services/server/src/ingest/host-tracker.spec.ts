import { Facet, KmodEvent } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { HostTracker } from './host-tracker.ts';

const LOADED = Facet.FACET_LOADED;
const digest = (byte: string) => ({ kind: 'digest', hex: byte.repeat(32) }) as const;
const tracker = (): HostTracker =>
  new HostTracker({ hostId: 'h', sessionNo: 1, bootId: 'b', request: () => undefined, turnAway: () => undefined });
const event = (kmod: string, kind: 1 | 2): KmodEvent => ({ kmod, kind, ageMs: 0, actionId: '', source: 'uevent' });

describe('HostTracker', () => {
  it('vouches only for what is stored and was observed within its window', () => {
    const host = tracker();
    host.announce(LOADED, digest('aa'), 1_000);
    const state = host.facets.get(LOADED);
    if (state === undefined) throw new Error('no state');
    expect(host.mask(1_000, () => 100)).toBe(0);
    state.stored = 'aa'.repeat(32);
    expect(host.mask(1_100, () => 100)).toBe(1 << LOADED);
    expect(host.mask(1_101, () => 100)).toBe(0);
    host.announce(LOADED, digest('bb'), 1_101);
    expect(host.mask(1_101, () => 100)).toBe(0);
  });

  it('has nothing to do for a heartbeat without news', () => {
    const host = tracker();
    host.announce(LOADED, digest('aa'), 0);
    const state = host.facets.get(LOADED);
    if (state === undefined) throw new Error('no state');
    Object.assign(state, { stored: 'aa'.repeat(32), vouched: true });
    expect(host.announce(LOADED, digest('aa'), 10)).toBe(false);
    expect(host.announce(LOADED, { kind: 'incapable', reason: 'no /proc/modules' }, 20)).toBe(true);
  });

  it('keeps no control character of a reason: Postgres stores no NUL, and one host must not spoil what is written of many', () => {
    const host = tracker();
    const reason = 'no\0 /proc\u001b[2J';
    host.announceAll([{ facet: LOADED, digest: Buffer.alloc(0), observedAgeMs: 0, incapableReason: reason }], 0);
    expect(host.facets.get(LOADED)?.announced).toEqual({ kind: 'incapable', reason: 'no\ufffd /proc\ufffd[2J' });
  });

  it('takes a short heartbeat for the age of what was last said, and for nothing where nothing was', () => {
    const host = tracker();
    const short = { facet: LOADED, digest: Buffer.alloc(0), observedAgeMs: 5, incapableReason: '' };
    expect(host.announceAll([short], 1_000)).toBe(false);
    expect(host.facets.size).toBe(0);
    host.announce(LOADED, digest('aa'), 0);
    Object.assign(host.facets.get(LOADED) ?? {}, { stored: 'aa'.repeat(32), vouched: true });
    expect(host.announceAll([short], 1_000)).toBe(false);
    expect(host.facets.get(LOADED)).toMatchObject({ announced: digest('aa'), observedAt: 995 });
  });

  it('explains an announcement by the events told before it, last word first, and forgets them once stored', () => {
    const host = tracker();
    host.told([event('x', 1), event('x', 2), event('y', 1)]);
    host.announce(LOADED, digest('aa'), 0);
    host.told([event('y', 2)]);
    const state = host.facets.get(LOADED);
    if (state === undefined) throw new Error('no state');
    expect([...host.toldFor(state)]).toEqual([
      ['x', 2],
      ['y', 1],
    ]);
    const before = state.toldUpTo;
    host.announce(LOADED, digest('bb'), 0);
    host.forgetTold(before);
    expect([...host.toldFor(state)]).toEqual([['y', 2]]);
  });
});
