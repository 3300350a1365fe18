import { isKnownVerb, isOverride, outcomeWord, VERB_WORDS, type OutcomeWord } from '@modfleet/proto';
import type { AccessSeals } from '../access/seals.ts';
import { requesterName } from './action-requester.ts';
import type { HeldAction, StoredAction } from './action.model.ts';
import type { ActionRow, HeldRow } from './action.queries.ts';

/** The domain's view of a row. */
export function fromRow(row: ActionRow, seals: AccessSeals): StoredAction {
  const timeline = (row.timeline ?? []).map((line) => ({
    at: new Date(line.at),
    state: line.state,
    outcome: wordOf(line.outcome),
    note: line.note ?? '',
  }));
  return { ...fromHeld(row), requestedBy: requesterName(row, seals), timeline };
}

/** The same of a row that is held to be changed. */
export function fromHeld(row: HeldRow): HeldAction {
  if (!isKnownVerb(row.verb))
    throw new Error(
      `action ${row.id} has verb ${row.verb}, which this version does not know; was the server downgraded?`,
    );
  return {
    id: row.id,
    hostId: row.host_id,
    hostName: row.host_name,
    hostLabels: row.host_labels,
    hostConnected: row.host_connected,
    verb: VERB_WORDS[row.verb],
    kmod: row.kmod,
    parameters: row.parameters,
    dryRun: row.dry_run,
    reason: row.reason,
    requestDigest: row.request_digest,
    epoch: row.epoch,
    sequence: row.sequence,
    notBefore: row.not_before,
    signature: row.signature,
    commandCertificate: row.certificate,
    state: row.state,
    outcome: wordOf(row.outcome),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    dispatchedAt: row.dispatched_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    cancelRequestedAt: row.cancel_requested_at,
    cancelledBy: row.cancelled_by,
    verdict: row.verdict,
    result: row.result,
    hostMessage: row.message,
    resolvedOutcome: wordOf(row.resolved_outcome),
    resolvedAt: row.resolved_at,
    version: row.version,
    confirmWindowSeconds: row.confirm_window_s,
    overrides: row.overrides.filter(isOverride),
    undo: row.undo,
    approvedPlans: row.approved_plans,
    rolloutId: row.rollout_id,
    planId: row.plan_id,
    confirmDeadline: row.confirm_deadline,
    confirmOfferedAt: row.confirm_offered_at,
    confirmPeer: row.confirm_peer,
  };
}

function wordOf(outcome: number | null): OutcomeWord | null {
  return outcome === null ? null : (outcomeWord(outcome) ?? null);
}
