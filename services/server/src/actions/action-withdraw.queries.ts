import type { Sql } from '../database/database.service.ts';
import type { ActionSnapshot } from './action.machine.ts';
import type { ActionState } from './action.states.ts';

/** What a queued action has that the machine asks for; everything else of it is still empty. */
export interface QueuedRow {
  readonly id: string;
  readonly expires_at: Date;
  readonly cancel_requested_at: Date | null;
  readonly cancelled_by: string | null;
  readonly confirm_window_s: number;
}

/** Holds those of the actions that were not sent yet, in the order of their ids, until the transaction ends. */
export function lockQueued(sql: Sql, ids: readonly string[]): Promise<QueuedRow[]> {
  return sql.query<QueuedRow>(
    `SELECT id, expires_at, cancel_requested_at, cancelled_by, confirm_window_s FROM action
      WHERE id = ANY ($1::uuid[]) AND state = 'queued' ORDER BY id FOR UPDATE`,
    [ids],
  );
}

export function queuedSnapshot(row: QueuedRow): ActionSnapshot {
  return {
    state: 'queued',
    outcome: null,
    resolvedOutcome: null,
    expiresAt: row.expires_at,
    dispatchedAt: null,
    startedAt: null,
    endedAt: null,
    resolvedAt: null,
    cancelRequestedAt: row.cancel_requested_at,
    cancelledBy: row.cancelled_by,
    confirmWindowSeconds: row.confirm_window_s,
    confirmDeadline: null,
    confirmOfferedAt: null,
    confirmPeer: null,
  };
}

export interface EndedUpdate {
  readonly id: string;
  readonly state: ActionState;
  readonly outcome: number | null;
  readonly endedAt: Date | null;
  readonly cancelRequestedAt: Date | null;
  readonly cancelledBy: string | null;
  readonly nextSweepAt: Date | null;
  /** A line of its timeline. */
  readonly note: string;
}

/** Ends actions of which nothing was sent; the caller holds their rows. */
export async function updateEnded(sql: Sql, updates: readonly EndedUpdate[]): Promise<void> {
  await sql.query(
    `WITH given AS MATERIALIZED (
       SELECT * FROM jsonb_to_recordset($1::jsonb) AS g (
         id uuid, state text, outcome smallint, "endedAt" timestamptz, "cancelRequestedAt" timestamptz, "cancelledBy" text, "nextSweepAt" timestamptz, note text)),
     gone AS (
       UPDATE action a SET state = g.state, outcome = g.outcome, ended_at = g."endedAt", cancel_requested_at = g."cancelRequestedAt",
              cancelled_by = g."cancelledBy", next_sweep_at = g."nextSweepAt", version = a.version + 1
         FROM given g WHERE a.id = g.id
       RETURNING a.id, a.state, a.outcome, a.ended_at, g.note)
     INSERT INTO action_transition (action_id, seq, at, state, outcome, note)
     SELECT g.id, (SELECT coalesce(max(t.seq), 0) + 1 FROM action_transition t WHERE t.action_id = g.id), g.ended_at, g.state, g.outcome, g.note FROM gone g`,
    [JSON.stringify(updates)],
  );
}
