import { describe, expect, it } from 'vitest';
import { judgeRow } from './evidence-oracle.ts';
import type { EvidenceRow } from './evidence-rows.ts';

const row: EvidenceRow = { use: 'a use', kmod: 'x', make: ':', code: 'in_use', evidence: /^process \d+ / };
const verdict = (code: string, evidence: readonly string[]) => ({
  kmod: 'x',
  findings: [{ code, kernel: true, refuses: true, message: '', evidence }],
  plan: [],
  tries: [],
});

describe('judgeRow', () => {
  it('wants the code and the one who holds it', () => {
    expect(judgeRow(row, verdict('in_use', ['path y', 'process 7 (z)']))).toBeUndefined();
    expect(judgeRow(row, verdict('in_use', ['path y']))).toContain('no evidence');
    expect(judgeRow(row, verdict('held_by', ['process 7 (z)']))).toContain('in_use expected, held_by found');
    expect(judgeRow(row, undefined)).toContain('not loaded');
  });
});
