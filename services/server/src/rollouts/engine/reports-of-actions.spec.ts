import { Outcome } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { toReport } from './reports-of-actions.ts';
import type { ReportRow } from './step-input.queries.ts';

const ROW: ReportRow = {
  host_id: 'host-1',
  action_id: 'action-1',
  role: 'forward',
  resolves: false,
  outcome: Outcome.OUTCOME_REFUSED,
  cancelled_by: null,
  decided_by: null,
  refusal: null,
  message: 'a hundred actions wait on this host already; nothing was touched',
  reason_code: '',
  result: null,
};

const codeOf = (row: Partial<ReportRow>): string => toReport({ ...ROW, ...row }).code;

describe('the code of a report', () => {
  it('is the reason of who refused before looking: there is no verdict then', () => {
    expect(codeOf({ reason_code: 'busy' })).toBe('busy');
  });

  it('is the reason of who refused after a verdict that was good', () => {
    expect(codeOf({ reason_code: 'unjournalled', decided_by: 'ok' })).toBe('unjournalled');
  });

  it('is what decided the verdict where the result names nothing', () => {
    expect(codeOf({ decided_by: 'in_use' })).toBe('in_use');
  });

  it('is nothing of a verdict that was good and of an end that needs no reason', () => {
    expect(codeOf({ outcome: Outcome.OUTCOME_SUCCEEDED, decided_by: 'ok' })).toBe('');
    expect(codeOf({ outcome: Outcome.OUTCOME_FAILED, decided_by: 'ok', reason_code: 'rejected_by_kernel' })).toBe(
      'rejected_by_kernel',
    );
  });
});
