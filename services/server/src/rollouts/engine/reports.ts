import { isRetried } from '../plan/plan.rules.ts';
import type { Draft } from './draft.ts';
import type { Target, TargetOutcome } from './rollout.model.ts';
import type { Report, StepInput } from './step-input.ts';

/** How actions ended, as targets' ends. */
export function takeReports(draft: Draft, { reports, retryMs }: Pick<StepInput, 'reports' | 'retryMs'>): void {
  for (const report of reports) {
    const target = draft.targets.get(report.hostId);
    if (target === undefined) continue;
    if (report.role === 'undo') takeUndo(draft, target, report, retryMs);
    else if (report.resolves) resolve(draft, target, report);
    else if (isAbout(target, report)) takeForward(draft, target, report, retryMs);
  }
}

function isAbout(target: Target, { actionId }: Report): boolean {
  return target.state === 'dispatched' ? target.actionId === actionId : target.state === 'pending' && actionId === null;
}

function resolve(draft: Draft, target: Target, report: Report): void {
  if (target.state !== 'ended' || target.actionId !== report.actionId) return;
  draft.resolveTarget(target, outcomeOf(report), report.code, report.message, report.changed);
}

function takeForward(draft: Draft, target: Target, report: Report, retryMs: number): void {
  const goesOn = draft.goesForward;
  if (report.withdrawn) {
    if (goesOn) return draft.put({ ...target, state: 'pending', attempts: target.attempts - 1, actionId: null });
    return draft.endTarget(target, 'not_run', 'not_run', 'taken back before it was sent');
  }
  // Proven not to have begun: its turn comes again when it is connected.
  if (report.outcome === 'expired' && goesOn && draft.rollout.options.offline === 'wait')
    return draft.put({ ...target, state: 'pending', actionId: null, code: 'expired', message: report.message });
  if (report.outcome === 'refused' && isRetried(report.code) && goesOn) {
    const { code, message } = report;
    return draft.put({ ...target, state: 'pending', wait: 'in_use', notBefore: draft.now + retryMs, code, message });
  }
  draft.endTarget(attempted(target), outcomeOf(report), report.code, report.message, report.changed);
  if (report.rightLost && draft.rollout.state === 'running') draft.pause(`${report.message}`);
}

/** A host that was left out because it may not be acted on counts as tried. */
function attempted(target: Target): Target {
  return target.attempts === 0 ? { ...target, attempts: 1 } : target;
}

function outcomeOf(report: Report): TargetOutcome {
  return report.outcome === 'refused' && report.code === 'drifted' ? 'drifted' : report.outcome;
}

function takeUndo(draft: Draft, target: Target, report: Report, retryMs: number): void {
  const { undo } = target;
  const isAboutUndo = undo.state === 'dispatched' ? undo.actionId === report.actionId : report.actionId === null;
  if (!isAboutUndo || (undo.state !== 'dispatched' && undo.state !== 'pending')) return;
  const inTime = draft.now < (draft.rollout.memory.undoUntil ?? 0);
  const again =
    report.withdrawn || report.outcome === 'expired' || (report.outcome === 'refused' && isRetried(report.code));
  if (again && inTime) {
    const notBefore = report.withdrawn ? null : draft.now + retryMs;
    return draft.put({
      ...target,
      notBefore,
      undo: { ...undo, state: 'pending', actionId: null, message: report.message },
    });
  }
  draft.put({
    ...target,
    notBefore: null,
    undo: { ...undo, state: 'ended', outcome: report.outcome, message: report.message },
  });
}
