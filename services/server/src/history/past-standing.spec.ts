import { describe, expect, it } from 'vitest';
import { pastStanding } from './past-standing.ts';

const at = (hour: number): Date => new Date(Date.UTC(2026, 0, 1, hour));
const nothing = { within: false, lastBefore: null, firstAfter: null };

describe('where a host stood', () => {
  it('is seen while it was connected', () => {
    expect(pastStanding(at(5), at(1), true, { ...nothing, within: true })).toEqual({ kind: 'seen' });
  });

  it('was away between two connections: last seen before, seen again after', () => {
    expect(pastStanding(at(5), at(1), true, { ...nothing, lastBefore: at(4), firstAfter: at(7) })).toEqual({
      kind: 'away',
      seenAt: at(4),
      seenNext: at(7),
    });
  });

  it('was away and has not been seen since', () => {
    expect(pastStanding(at(5), at(1), true, { ...nothing, lastBefore: at(4) })).toEqual({
      kind: 'away',
      seenAt: at(4),
      seenNext: null,
    });
  });

  it('is unknown before it joined, before its first connection on record, and when it never said what it has loaded', () => {
    const later = { ...nothing, firstAfter: at(6) };
    expect(pastStanding(at(0), at(1), true, later)).toEqual({ kind: 'unknown', why: 'before_joining' });
    expect(pastStanding(at(5), at(1), true, later)).toEqual({ kind: 'unknown', why: 'before_first_report' });
    expect(pastStanding(at(5), at(1), false, { ...nothing, within: true })).toEqual({
      kind: 'unknown',
      why: 'never_reported',
    });
  });
});
