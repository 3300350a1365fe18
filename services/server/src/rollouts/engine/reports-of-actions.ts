import { outcomeWord, type OutcomeWord } from '@modfleet/proto';
import { RIGHT_WITHDRAWN } from '../../actions/action.machine.ts';
import type { Report } from './step-input.ts';
import type { ReportRow } from './step-input.queries.ts';

/** By whom an action is cancelled that its rollout takes back before it was sent. */
export const WITHDRAWN_BY = 'its rollout';

/** A row of an action that ended, as the machine takes it. Pure. */
export function toReport(row: ReportRow): Report {
  const outcome = outcomeWord(row.outcome) ?? 'interrupted';
  // A host may refuse before it looks, without a verdict, and after a verdict that was good: what the result says comes first.
  const code = row.reason_code || (outcome === 'refused' && row.decided_by) || '';
  return {
    hostId: row.host_id,
    actionId: row.action_id,
    role: row.role,
    outcome,
    resolves: row.resolves,
    withdrawn: outcome === 'cancelled' && row.cancelled_by === WITHDRAWN_BY,
    rightLost: outcome === 'cancelled' && row.cancelled_by === RIGHT_WITHDRAWN,
    code,
    message: row.message ?? row.refusal ?? '',
    changed: changedBy(outcome, row.result),
  };
}

/** Whether the host was changed, as far as it told. What ended without a word may have happened. */
export function changedBy(outcome: OutcomeWord, result: ReportRow['result']): boolean | null {
  switch (outcome) {
    case 'succeeded':
      return true;
    case 'unchanged':
    case 'refused':
    case 'expired':
    case 'cancelled':
      return false;
    case 'failed':
      return result === null ? null : result.steps.some(({ verified }) => verified);
    case 'reverted':
      return (result?.confirm?.missing.length ?? 0) > 0 || result === null ? null : false;
    case 'interrupted':
    case 'unconfirmed':
    case 'stuck':
      return null;
    default:
      return outcome satisfies never;
  }
}
