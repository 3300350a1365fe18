import { describe, expect, it } from 'vitest';
import {
  diffLoaded,
  EVENT_CHANGED,
  EVENT_LOADED,
  EVENT_UNLOADED,
  type LoadedByName,
  type LoadedEntry,
} from './loaded-diff.ts';

const entry = (change: Partial<LoadedEntry> = {}): LoadedEntry => ({
  buildId: 'a',
  size: 1,
  taint: '',
  version: '',
  srcversion: '',
  state: 'live',
  ...change,
});
const of = (entries: Record<string, LoadedEntry>): LoadedByName => new Map(Object.entries(entries));
const none = new Map<string, number>();

describe('diffLoaded', () => {
  it('finds what came, went and changed', () => {
    const before = { stays: entry(), goes: entry(), changes: entry() };
    const after = { stays: entry(), comes: entry(), changes: entry({ buildId: 'b', taint: 'OE' }) };
    expect(diffLoaded(of(before), of(after), none)).toEqual([
      { kmod: 'comes', kind: EVENT_LOADED, detail: null },
      {
        kmod: 'changes',
        kind: EVENT_CHANGED,
        detail: { buildId: { from: 'a', to: 'b' }, taint: { from: '', to: 'OE' } },
      },
      { kmod: 'goes', kind: EVENT_UNLOADED, detail: null },
    ]);
  });

  it('does not make an event again that the host told', () => {
    const told = new Map([
      ['comes', EVENT_LOADED],
      ['goes', EVENT_UNLOADED],
      ['reloaded', EVENT_LOADED],
    ]);
    const before = { goes: entry(), reloaded: entry() };
    const after = { comes: entry(), reloaded: entry({ buildId: 'b' }) };
    expect(diffLoaded(of(before), of(after), told)).toEqual([]);
  });

  it('makes the event when the last word of the host was another', () => {
    expect(diffLoaded(of({}), of({ x: entry() }), new Map([['x', EVENT_UNLOADED]]))).toEqual([
      { kmod: 'x', kind: EVENT_LOADED, detail: null },
    ]);
  });

  it('takes no notice of a state that passes', () => {
    expect(diffLoaded(of({ x: entry({ state: 'loading' }) }), of({ x: entry() }), none)).toEqual([]);
  });
});
