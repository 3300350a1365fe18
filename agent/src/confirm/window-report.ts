import { ConfirmEnd, type ConfirmReport } from '@modfleet/proto';
import type { RevertReport, WindowPlan } from './window-plan.ts';

/*
 * How a window ended, as the server is told it. What is not known is said to be a revert: of the ends, the one that claims no success.
 */

const EMPTY_REPORT: ConfirmReport = {
  end: ConfirmEnd.CONFIRM_END_REVERTED,
  cause: '',
  windowSeconds: 0,
  deadlineMs: 0,
  attempts: 0,
  localAddress: '',
  restored: [],
  missing: [],
  rebootedToRecover: false,
  endedBy: '',
};

function frameOf(plan: WindowPlan | undefined, attempts: number, localAddress: string): ConfirmReport {
  return {
    ...EMPTY_REPORT,
    windowSeconds: plan?.windowSeconds ?? 0,
    deadlineMs: plan?.deadlineServerMs ?? 0,
    attempts,
    localAddress,
  };
}

/** Confirmed in time; `restored` is what the load half of the action put back. */
export function keptReport(
  plan: WindowPlan,
  attempts: number,
  from: string,
  restored: readonly string[],
): ConfirmReport {
  const end = ConfirmEnd.CONFIRM_END_KEPT;
  return { ...frameOf(plan, attempts, from), end, endedBy: 'agent', restored: [...restored] };
}

/** Put back: what the revert itself reports, and how often the server was asked before. */
export function revertedReport(
  plan: WindowPlan | undefined,
  report: RevertReport,
  attempts: number,
  from: string,
): ConfirmReport {
  const { cause, by, restored, missing, rebootedToRecover } = report;
  return { ...frameOf(plan, attempts, from), cause, restored, missing, rebootedToRecover, endedBy: by };
}

/** What became of it cannot be told; the host is looked at by a person. */
export function lostReport(reason: string): ConfirmReport {
  return { ...EMPTY_REPORT, cause: 'agent_died', missing: [`not known: ${reason}`] };
}

/** No revert came to its end in this time. */
export function overdueReport(plan: WindowPlan, limitMs: number): ConfirmReport {
  const missing = [`not known: the revert did not end within ${limitMs / 1000} s`];
  return { ...frameOf(plan, 0, ''), cause: 'no_server', missing };
}
