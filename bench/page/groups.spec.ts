import { describe, expect, it } from 'vitest';
import { comparisons, growth } from './groups.ts';
import type { PlacedFigure } from './result-file.ts';

const NOWHERE = { machine: '', date: '', commit: '', loadAverage: 0 };

function of(part: string, name: string, value: number, unit = 's'): PlacedFigure {
  return { ...NOWHERE, part, name, value, unit, reach: null, holds: null, note: '' };
}

describe('figures that stand beside each other', () => {
  it('are those of several subjects, by what was measured', () => {
    const figures = [
      of('200 clush', 'clush, tuned: last answer, median', 3),
      of('200 clush', 'clush, tuned: runs without all 200 answers', 0, 'runs'),
      of('200 pdsh', 'pdsh: last answer, median', 4),
      of('200 pdsh', 'pdsh: of one alone', 4),
      of('200 clush', 'clush, tuned: went wrong', 0),
      of('200 pdsh', 'pdsh: went wrong', 0),
    ];
    expect(comparisons('peers', figures)).toMatchObject([
      { what: 'last answer, median', unit: 's', of: [{ subject: 'clush, tuned' }, { subject: 'pdsh' }] },
    ]);
  });

  it('are none where a colon says something else', () => {
    expect(comparisons('fleet', [of('a', 'page: p99', 1), of('a', 'question: p99', 2)])).toEqual([]);
  });
});

describe('a fleet that grows', () => {
  it('has a line for what was measured at several sizes, the smallest first', () => {
    const lines = growth([
      of('10000 enrol', 'enrol 10000 hosts, all live', 90),
      of('1000 enrol', 'enrol 1000 hosts, all live', 33),
      of('1000 enrol', 'measured once', 1),
      of('start', 'npm start', 3),
    ]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ part: 'enrol', name: 'enrol all hosts, all live' });
    expect(lines[0]?.points.map(({ hosts, figure }) => [hosts, figure.value])).toEqual([
      [1_000, 33],
      [10_000, 90],
    ]);
  });

  it('keeps parts apart that have a figure of one name', () => {
    const lines = growth([
      of('1000 live', 'the same: p50', 1),
      of('1000 pages', 'the same: p50', 2),
      of('5000 live', 'the same: p50', 3),
    ]);
    expect(lines.map(({ part, points }) => [part, points.length])).toEqual([['live', 2]]);
  });
});
