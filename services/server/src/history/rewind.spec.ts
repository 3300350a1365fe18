import { describe, expect, it } from 'vitest';
import { EVENT_CHANGED, EVENT_LOADED, EVENT_UNLOADED, type LoadedEntry } from '../ingest/loaded-diff.ts';
import { rewind } from './rewind.ts';

const entry = (buildId: string): LoadedEntry => ({
  buildId,
  size: 4096,
  taint: '',
  version: '',
  srcversion: '',
  state: 'live',
});

describe('rewind', () => {
  it('is what is loaded now when nothing happened since', () => {
    expect(rewind({ b: entry('b1'), a: entry('a1') }, [])).toEqual([
      { name: 'a', entry: entry('a1'), whole: true },
      { name: 'b', entry: entry('b1'), whole: true },
    ]);
  });

  it('takes away what was loaded since, and brings back what was unloaded, whose build nobody knows', () => {
    const events = [
      { kmod: 'new', kind: EVENT_LOADED, detail: null },
      { kmod: 'old', kind: EVENT_UNLOADED, detail: null },
    ];
    expect(rewind({ new: entry('n1') }, events)).toEqual([{ name: 'old', entry: null, whole: false }]);
  });

  it('gives a changed kmod the values that it had, the earliest change winning', () => {
    const change = (from: string, to: string) => ({
      kmod: 'a',
      kind: EVENT_CHANGED,
      detail: { buildId: { from, to }, size: { from: 1, to: 4096 } },
    });
    expect(rewind({ a: entry('a3') }, [change('a2', 'a3'), change('a1', 'a2')])).toEqual([
      { name: 'a', entry: { ...entry('a1'), size: 1 }, whole: true },
    ]);
  });

  it('knows of a kmod that changed and was unloaded what the change said, and no more', () => {
    const events = [
      { kmod: 'a', kind: EVENT_UNLOADED, detail: null },
      { kmod: 'a', kind: EVENT_CHANGED, detail: { buildId: { from: 'a1', to: 'a2' } } },
    ];
    expect(rewind({}, events)).toEqual([{ name: 'a', entry: { buildId: 'a1' }, whole: false }]);
  });

  it('follows a kmod that came and went several times', () => {
    const loaded = { kmod: 'a', kind: EVENT_LOADED, detail: null };
    const unloaded = { kmod: 'a', kind: EVENT_UNLOADED, detail: null };
    // Latest first: unloaded, loaded, unloaded. It was loaded before all of that.
    expect(rewind({}, [unloaded, loaded, unloaded]).map(({ name }) => name)).toEqual(['a']);
    expect(rewind({}, [unloaded, loaded])).toEqual([]);
  });

  it('passes over kinds that a newer version wrote', () => {
    expect(rewind({ a: entry('a1') }, [{ kmod: 'a', kind: 9, detail: null }]).map(({ name }) => name)).toEqual(['a']);
  });
});
