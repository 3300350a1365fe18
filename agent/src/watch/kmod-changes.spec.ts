import { KmodEventKind } from '@modfleet/proto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KmodChanges, type KmodChange } from './kmod-changes.ts';

const { KMOD_EVENT_KIND_LOADED: LOADED, KMOD_EVENT_KIND_UNLOADED: UNLOADED } = KmodEventKind;

function started(...live: string[]): KmodChanges {
  const changes = new KmodChanges();
  changes.onPoll(live, live);
  return changes;
}

describe('KmodChanges', () => {
  it('tells nothing of what was there at the start', () => {
    expect(new KmodChanges().onPoll(['a', 'b'], ['a', 'b'])).toEqual([]);
  });

  it('tells a load and unload between two polls by uevents', () => {
    const changes = started('a');
    expect(changes.onUevent('add', 'x')).toEqual({ kmod: 'x', kind: LOADED, source: 'uevent' });
    expect(changes.onUevent('remove', 'x')).toEqual({ kmod: 'x', kind: UNLOADED, source: 'uevent' });
    expect(changes.onPoll(['a'], ['a'])).toEqual([]);
  });

  it('tells once what both sources saw, in either order', () => {
    const ueventFirst = started();
    ueventFirst.onUevent('add', 'x');
    expect(ueventFirst.onPoll(['x'], ['x'])).toEqual([]);
    const pollFirst = started();
    expect(pollFirst.onPoll(['x'], ['x'])).toEqual([{ kmod: 'x', kind: LOADED, source: 'poll' }]);
    expect(pollFirst.onUevent('add', 'x')).toBeUndefined();
  });

  it('does not call a kmod loaded while its init runs, nor unloaded while its exit runs', () => {
    const changes = started();
    expect(changes.onPoll([], ['slow'])).toEqual([]);
    expect(changes.onPoll(['slow'], ['slow'])).toMatchObject([{ kind: LOADED }]);
    expect(changes.onPoll([], ['slow'])).toEqual([]);
    expect(changes.onPoll([], [])).toMatchObject([{ kind: UNLOADED }]);
  });

  it('tells by poll what no uevent told', () => {
    expect(started('a').onPoll(['b'], ['b'])).toEqual([
      { kmod: 'a', kind: UNLOADED, source: 'poll' },
      { kmod: 'b', kind: LOADED, source: 'poll' },
    ]);
  });

  it('does not let a poll that was read before a uevent contradict it; the next one tells', () => {
    const changes = started('a');
    changes.beginPoll();
    changes.onUevent('add', 'x');
    changes.onUevent('remove', 'a');
    expect(changes.onPoll(['a'], ['a'])).toEqual([]);
    changes.beginPoll();
    expect(changes.onPoll(['a'], ['a'])).toEqual([
      { kmod: 'x', kind: UNLOADED, source: 'poll' },
      { kmod: 'a', kind: LOADED, source: 'poll' },
    ]);
  });

  it('starts anew after the list could not be read', () => {
    const changes = started('a');
    changes.forget();
    expect(changes.onUevent('remove', 'a')).toBeUndefined();
    expect(changes.onPoll(['z'], ['z'])).toEqual([]);
  });

  it('tells of each kmod loads and unloads in turn, and at the end what the last poll shows', () => {
    const step = fc.oneof(
      fc.record({ uevent: fc.constantFrom('add' as const, 'remove' as const), kmod: fc.constantFrom('a', 'b') }),
      fc.record({ live: fc.uniqueArray(fc.constantFrom('a', 'b')) }),
    );
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.constantFrom('a', 'b')),
        fc.array(step),
        fc.uniqueArray(fc.constantFrom('a', 'b')),
        (first, steps, last) => {
          const changes = started(...first);
          const told: KmodChange[] = [];
          for (const one of [...steps, { live: last }]) {
            if ('live' in one) changes.beginPoll();
            const change = 'live' in one ? changes.onPoll(one.live, one.live) : changes.onUevent(one.uevent, one.kmod);
            told.push(...[change ?? []].flat());
          }
          const loaded = new Set<string>(first);
          for (const { kmod, kind } of told) {
            expect(loaded.has(kmod)).toBe(kind === UNLOADED);
            if (kind === LOADED) loaded.add(kmod);
            else loaded.delete(kmod);
          }
          expect([...loaded].sort()).toEqual([...last].sort());
        },
      ),
    );
  });
});
