import { type ConfirmCause, ConfirmEnd, type ConfirmReport } from '@modfleet/proto';
import type { RevertReport, WindowPlan } from './window-plan.ts';

/*
 * How a window ended, as the server is told it. What nobody has seen is said to be unknown, neither kept nor put back.
 */

/** What begins a line of `missing` that says why something is not known. */
export const NOT_KNOWN = 'not known: ';

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

/** Put back: what the revert itself reports, and how often the server was asked before. One that broke off knows nothing of the host. */
export function revertedReport(
  plan: WindowPlan | undefined,
  report: RevertReport,
  attempts: number,
  from: string,
): ConfirmReport {
  const { cause, by, restored, missing, rebootedToRecover } = report;
  const isKnown = !missing.some((line) => line.startsWith(NOT_KNOWN));
  const end = isKnown ? ConfirmEnd.CONFIRM_END_REVERTED : ConfirmEnd.CONFIRM_END_UNKNOWN;
  return { ...frameOf(plan, attempts, from), end, cause, restored, missing, rebootedToRecover, endedBy: by };
}

/** What became of it cannot be told; the host is looked at by a person. `reason` completes "it is not known whether the host is as before: …". */
export function unknownReport(
  plan: WindowPlan | undefined,
  cause: ConfirmCause,
  reason: string,
  attempts = 0,
): ConfirmReport {
  const end = ConfirmEnd.CONFIRM_END_UNKNOWN;
  return { ...frameOf(plan, attempts, ''), end, cause, missing: [`${NOT_KNOWN}${reason}`] };
}

/** What can be said of a revert that has not reported. */
export function withoutReport(claimed: boolean, limitMs: number): string {
  return claimed
    ? `a revert began and has not reported within ${limitMs / 1000} s; it is tried again when the agent's helper starts next`
    : `no revert has begun within ${limitMs / 1000} s of the window's end; it is tried again when the agent's helper starts next`;
}

/** Whether a report says how the window ended, so that nothing needs to be kept of it. */
export function isSettled({ end }: ConfirmReport): boolean {
  return end !== ConfirmEnd.CONFIRM_END_UNKNOWN;
}
