import type { Sql } from '../database/database.service.ts';
import { jsonParam } from '../database/json-param.ts';
import type { NewAction } from './action.model.ts';
import type { Requester } from './action-requester.ts';

/** An action that was signed, as its row has it. */
export interface InsertedAction extends Omit<NewAction, 'verb'> {
  readonly verb: number;
  readonly requestDigest: Uint8Array;
  readonly requester: Requester;
  readonly signature: Buffer;
  /** Kept beside the actions, once. */
  readonly certificate: { readonly id: Buffer; readonly der: Buffer };
}

/**
 * Actions, their certificates and the first line of each timeline, in one statement. As JSON: arrays of different lengths (parameters, overrides) make no array
 * of arrays that unnest would take apart again.
 */
export async function insertActions(sql: Sql, actions: readonly InsertedAction[]): Promise<void> {
  const certificates = new Map(actions.map(({ certificate }) => [certificate.id.toString('hex'), certificate]));
  await sql.query(
    `WITH given AS MATERIALIZED (
       SELECT * FROM jsonb_to_recordset($1::jsonb) AS g (
         id uuid, host_id uuid, verb smallint, kmod text, parameters text[], dry_run boolean, reason text, requested_by text, request_digest bytea,
         expires_at timestamptz, confirm_window_s integer, overrides text[], undo jsonb, approved_plans bytea[], rollout_id uuid, plan_id uuid,
         requested_account uuid, requested_token uuid, requested_sign_in uuid, requester_seal bytea, epoch bigint, sequence bigint, not_before timestamptz,
         signature bytea, command_certificate bytea)),
     certificate AS (
       INSERT INTO command_certificate (id, certificate) SELECT c.id, c.der FROM unnest($2::bytea[], $3::bytea[]) AS c (id, der)
       ON CONFLICT (id) DO NOTHING),
     inserted AS (
       INSERT INTO action (id, host_id, verb, kmod, parameters, dry_run, reason, requested_by, request_digest, created_at, expires_at, next_sweep_at,
                           confirm_window_s, overrides, undo, approved_plans, rollout_id, plan_id, requested_account, requested_token, requested_sign_in,
                           requester_seal, epoch, sequence, not_before, signature, command_certificate)
       SELECT id, host_id, verb, kmod, parameters, dry_run, reason, requested_by, request_digest, clock_timestamp(), expires_at, expires_at,
              confirm_window_s, overrides, undo, approved_plans, rollout_id, plan_id, requested_account, requested_token, requested_sign_in,
              requester_seal, epoch, sequence, not_before, signature, command_certificate
         FROM given
       RETURNING id, created_at)
     INSERT INTO action_transition (action_id, seq, at, state, note) SELECT id, 1, created_at, 'queued', 'accepted and stored' FROM inserted`,
    [
      jsonParam(actions.map(toJson)),
      [...certificates.values()].map(({ id }) => id),
      [...certificates.values()].map(({ der }) => der),
    ],
  );
}

function toJson(action: InsertedAction): Readonly<Record<string, unknown>> {
  return {
    id: action.id,
    host_id: action.hostId,
    verb: action.verb,
    kmod: action.kmod,
    parameters: action.parameters,
    dry_run: action.dryRun,
    reason: action.reason,
    requested_by: action.requestedBy,
    request_digest: bytea(action.requestDigest),
    expires_at: action.expiresAt,
    confirm_window_s: action.confirmWindowSeconds,
    overrides: action.overrides,
    undo: action.undo,
    approved_plans: action.approvedPlans.map(bytea),
    rollout_id: action.rolloutId,
    plan_id: action.planId,
    requested_account: action.requester.accountId,
    requested_token: action.requester.tokenId,
    requested_sign_in: action.requester.signInId,
    requester_seal: bytea(action.requester.seal),
    epoch: action.epoch,
    sequence: action.sequence,
    not_before: action.notBefore,
    signature: bytea(action.signature),
    command_certificate: bytea(action.certificate.id),
  };
}

/** As Postgres reads a bytea from text. */
function bytea(bytes: Uint8Array): string {
  return `\\x${Buffer.from(bytes).toString('hex')}`;
}
