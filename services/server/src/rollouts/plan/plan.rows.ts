import { isOverride, outcomeWord } from '@modfleet/proto';
import { rolloutVerbOf } from '../rollout-verb.ts';
import type { DryRunEnd, PlanHost, StoredPlan } from './plan.model.ts';
import type { PlanHostRow, PlanRow } from './plan.queries.ts';
import type { DryRunColumns } from './plan-target.queries.ts';

/** Undefined: it has not ended. */
export function dryRunEnd(row: DryRunColumns): DryRunEnd | undefined {
  if (row.state !== 'ended' || row.outcome === null) return undefined;
  return {
    outcome: outcomeWord(row.outcome) ?? 'unknown',
    verdict: row.verdict,
    reasonCode: row.reason_code ?? '',
    message: row.host_message ?? '',
  };
}

/** The domain's view of a row. */
export function planOf(row: PlanRow): StoredPlan {
  return {
    id: row.id,
    state: row.state,
    verb: rolloutVerbOf(row.verb),
    kmod: row.kmod,
    parameters: row.parameters,
    confirmWindowSeconds: row.confirm_window_s,
    overrides: row.overrides.filter(isOverride),
    selector: row.selector,
    reason: row.reason,
    requestedBy: row.requested_by,
    createdAt: row.created_at,
    answersUntil: row.answers_until,
    readyAt: row.ready_at,
    expiresAt: row.expires_at,
    unknownInSelector: row.unknown_in_selector,
    hash: row.hash,
    classes: row.classes,
    refusals: row.refusals,
    unknowns: row.unknowns,
  };
}

export function hostOf(row: PlanHostRow): PlanHost {
  return {
    id: row.id,
    name: row.name,
    labels: row.labels,
    kernelRelease: row.kernel_release,
    virtualization: row.virtualization ?? '',
    retired: row.retired,
    revoked: row.revoked,
    quarantineReason: row.quarantined ? (row.quarantine_reason ?? '') : null,
    live: row.live,
    seenAt: row.seen_at,
  };
}
