import {
  ActionPhase,
  ConfirmEnd,
  type ConfirmReport,
  FindingLayer,
  type HostHealth,
  Outcome,
  outcomeWord,
  requestDigest,
  requestDigestBeforeSignatures,
  verbFromWord,
  Verb,
  type ActionRequest,
  type ActionResult,
  type OutcomeWord,
  type PlanStep,
  type ReloadPath,
  type StepResult,
  type UndoStep,
  type Verdict,
} from '@modfleet/proto';
import type { ActionEvent } from './action.machine.ts';
import type { NewAction, StoredAction, StoredResult, StoredVerdict } from './action.model.ts';

/** Bounds on what one host can make this server keep of one action; agents cut stderr at 4 KiB themselves. */
const TEXT_LIMIT = 4096;
const LIST_LIMIT = 500;

/** A row as far as it is sent to its host. */
export type Sent = Omit<NewAction, 'notBefore' | 'reason' | 'requestedBy' | 'rolloutId' | 'planId'> &
  Pick<StoredAction, 'notBefore' | 'signature' | 'commandCertificate'>;

/** What is sent to the host. Built from the stored row alone, so that every sending of an id has the same digest and signature. */
export function toRequest(action: Sent): ActionRequest {
  return {
    actionId: action.id,
    hostId: action.hostId,
    verb: verbFromWord(action.verb) ?? Verb.VERB_UNSPECIFIED,
    kmod: action.kmod,
    parameters: [...action.parameters],
    dryRun: action.dryRun,
    expiresAtMs: action.expiresAt.getTime(),
    confirmWindowSeconds: action.confirmWindowSeconds,
    overrides: [...action.overrides],
    epoch: action.epoch,
    sequence: action.sequence,
    notBeforeMs: action.notBefore?.getTime() ?? 0,
    signature: Buffer.from(action.signature ?? []),
    commandCertificate: Buffer.from(action.commandCertificate ?? []),
    undo: action.undo.map(({ kind, kmod, parameters }) => ({ kind, kmod, parameters: [...parameters] })),
    approvedPlans: action.approvedPlans.map((digest) => Buffer.from(digest)),
  };
}

/** What is to be signed. */
export function toUnsignedRequest(action: NewAction): ActionRequest {
  return toRequest({ ...action, signature: null, commandCertificate: null });
}

export function toStoredVerdict(verdict: Verdict): StoredVerdict {
  return {
    allowed: verdict.allowed,
    decidedBy: text(verdict.decidedBy),
    findings: verdict.findings.slice(0, LIST_LIMIT).map((finding) => ({
      layer: layerWord(finding.layer),
      code: text(finding.code),
      refuses: finding.refuses,
      message: text(finding.message),
      evidence: finding.evidence
        .slice(0, LIST_LIMIT)
        .map(({ kind, value }) => ({ kind: text(kind), value: text(value) })),
    })),
    plan: verdict.plan.slice(0, LIST_LIMIT).map(planStep),
    reloadPaths: verdict.reloadPaths.slice(0, LIST_LIMIT).map(reloadPath),
    digest: verdict.digest.length === 0 ? null : Buffer.from(verdict.digest).toString('hex'),
  };
}

export function toStoredResult(result: ActionResult): StoredResult {
  return {
    steps: result.steps.slice(0, LIST_LIMIT).map(stepResult),
    reasonCode: text(result.reasonCode),
    loadedAfter: result.loadedAfter ?? null,
    taintBefore: result.taintBefore ?? null,
    taintAfter: result.taintAfter ?? null,
    kernelLog: result.kernelLog.slice(0, LIST_LIMIT).map(text),
    reloadPaths: result.reloadPaths.slice(0, LIST_LIMIT).map(reloadPath),
    confirm: result.confirm === undefined ? null : confirmReport(result.confirm),
    undo: result.undo.slice(0, LIST_LIMIT).map(undoStep),
    healthBefore: result.healthBefore === undefined ? null : toHealth(result.healthBefore),
  };
}

function confirmReport(report: ConfirmReport): NonNullable<StoredResult['confirm']> {
  return {
    end: confirmEndWord(report.end),
    cause: text(report.cause),
    windowSeconds: report.windowSeconds,
    attempts: report.attempts,
    localAddress: text(report.localAddress),
    restored: report.restored.slice(0, LIST_LIMIT).map(text),
    missing: report.missing.slice(0, LIST_LIMIT).map(text),
    rebootedToRecover: report.rebootedToRecover,
    endedBy: text(report.endedBy),
  };
}

/** An end of a newer contract is not known: the one that claims neither that the change was kept nor that it was put back. */
function confirmEndWord(end: ConfirmEnd): NonNullable<StoredResult['confirm']>['end'] {
  switch (end) {
    case ConfirmEnd.CONFIRM_END_KEPT:
      return 'kept';
    case ConfirmEnd.CONFIRM_END_REVERTED:
      return 'reverted';
    case ConfirmEnd.CONFIRM_END_NOT_ASKED:
      return 'not_asked';
    default:
      return 'unknown';
  }
}

/** What the machine needs of a result; no outcome where the host sent none that this build knows. */
export function toReport(result: ActionResult): {
  readonly outcome: OutcomeWord | undefined;
  readonly startedAt?: Date;
} {
  const outcome = outcomeWord(result.outcome);
  return result.startedAtMs > 0 ? { outcome, startedAt: new Date(result.startedAtMs) } : { outcome };
}

/** What the machine needs of a host's progress; undefined where it says nothing that this build knows. */
export function toProgressEvent(phase: ActionPhase, confirmDeadlineMs = 0): ActionEvent | undefined {
  switch (phase) {
    case ActionPhase.ACTION_PHASE_CONFIRM_PENDING:
      return { kind: 'window_armed', deadline: toInstant(confirmDeadlineMs) };
    case ActionPhase.ACTION_PHASE_RECEIVED:
      return { kind: 'received' };
    case ActionPhase.ACTION_PHASE_STARTED:
      return { kind: 'started' };
    case ActionPhase.ACTION_PHASE_CANCEL_REFUSED:
      return { kind: 'cancel_refused' };
    default:
      return undefined;
  }
}

/** The host's sentence, fit to be stored. */
export function toHostMessage(result: ActionResult): string {
  return text(result.message);
}

/**
 * Whether a report is about this very request. A host that was asked to cancel what it never saw knows no digest, one with an agent of before
 * signatures knows the digest of what it understood, and one that refuses a row that was changed in Postgres speaks of what it was sent.
 */
export function isAbout(
  report: ActionResult,
  action: Pick<StoredAction, 'requestDigest'>,
  request: () => ActionRequest,
): boolean {
  if (report.requestDigest.length === 0) return report.outcome === Outcome.OUTCOME_CANCELLED;
  if (Buffer.from(action.requestDigest).equals(report.requestDigest)) return true;
  const sent = request();
  return [requestDigest(sent), requestDigestBeforeSignatures(sent)].some((digest) =>
    Buffer.from(digest).equals(report.requestDigest),
  );
}

function planStep(step: PlanStep): StoredVerdict['plan'][number] {
  return {
    kind: text(step.kind),
    kmod: text(step.kmod),
    parameters: step.parameters.slice(0, LIST_LIMIT).map(text),
    because: text(step.because),
  };
}

function undoStep(step: UndoStep): NonNullable<StoredResult['undo']>[number] {
  return {
    kind: text(step.kind),
    kmod: text(step.kmod),
    parameters: step.parameters.slice(0, LIST_LIMIT).map(text),
  };
}

/** What a host says of its health, fit to be stored. */
export function toHealth(health: HostHealth): NonNullable<StoredResult['healthBefore']> {
  return {
    bootId: text(health.bootId),
    taint: health.taint,
    oopsCount: health.oopsCount ?? null,
    warnCount: health.warnCount ?? null,
    links: health.links.slice(0, LIST_LIMIT).map(text),
    mounts: health.mounts.slice(0, LIST_LIMIT).map(text),
  };
}

function stepResult(step: StepResult): StoredResult['steps'][number] {
  return {
    kind: text(step.step?.kind ?? ''),
    kmod: text(step.step?.kmod ?? ''),
    exitCode: step.exitCode ?? null,
    stderr: text(step.stderr),
    errno: text(step.errno),
    durationMs: step.durationMs,
    verified: step.verified,
  };
}

function reloadPath(path: ReloadPath): { kind: string; value: string } {
  return { kind: text(path.kind), value: text(path.value) };
}

/** A layer of a newer contract is said to be policy: of the two, the one that claims nothing about the kernel. */
function layerWord(layer: number): 'kernel' | 'policy' {
  return layer === FindingLayer.FINDING_LAYER_KERNEL ? 'kernel' : 'policy';
}

/** Postgres's jsonb holds no NUL and no half of a surrogate pair, and a host may send as much as a frame takes. */
export function text(value: string): string {
  return value.slice(0, TEXT_LIMIT).toWellFormed().replaceAll('\0', '\uFFFD');
}

/** A time that a host tells; null for none, and for one that no clock can show. */
function toInstant(ms: number): Date | null {
  const time = new Date(ms);
  return ms > 0 && !Number.isNaN(time.getTime()) && time.getUTCFullYear() < 10_000 ? time : null;
}
