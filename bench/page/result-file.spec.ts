import { describe, expect, it } from 'vitest';
import { readResult } from './result-file.ts';

const AT = { machine: 'a machine', date: '2026-11-29T23:48:18.167Z', commit: 'abc' };

describe('a result file', () => {
  it('has figures, each where and when its part was measured', () => {
    const one = { name: 'x', value: 1, unit: 's', reach: null, holds: null, note: '' };
    const { figures, commit } = readResult('audit', {
      ...AT,
      figures: [{ ...one, part: 'all', loadAverage: 2, commit: 'old' }, one],
    });
    expect(commit).toBe('abc');
    expect(figures).toMatchObject([
      { part: 'all', commit: 'old', loadAverage: 2, machine: 'a machine' },
      { part: '', commit: 'abc' },
    ]);
  });

  it('has each figure named so that it can stand alone', () => {
    const one = { value: 1, unit: 'ms', reach: null, holds: null, note: '' };
    const figures = [
      { ...one, name: 'question to 1000 hosts: p99' },
      { ...one, name: 'the same: p50' },
    ];
    expect(readResult('fleet', { ...AT, figures }).figures.map(({ name }) => name)).toEqual([
      'question to 1000 hosts: p99',
      'question to 1000 hosts: p50',
    ]);
  });

  it('of a proof has what it counted, as far as that can be read at a glance', () => {
    const { facts, machine } = readResult('proof-once', {
      ...AT,
      worlds: 2,
      wrong: null,
      faults: [],
      outcomes: { failed: 3, deep: {} },
      table: [{ what: 'x', rounds: 2, more: [1] }],
    });
    expect(machine).toBe('a machine');
    expect(facts).toEqual([
      { name: 'worlds', value: 2 },
      { name: 'wrong', value: 'none' },
      { name: 'faults', value: 0 },
      { name: 'outcomes', value: [{ what: 'failed', times: 3 }] },
      { name: 'table', value: [{ what: 'x', rounds: 2 }] },
    ]);
  });

  it('of parts that ran apart says where the first did', () => {
    expect(readResult('proof-fuzz-http', { roles: [{ role: 'none', ...AT }], holds: true })).toMatchObject(AT);
  });
});
