import type { StoredResult } from '../../actions/action.model.ts';
import type { Sql } from '../../database/database.service.ts';
import type { ControlKind } from './step-input.ts';

export interface ControlRow {
  readonly seq: number;
  readonly kind: ControlKind;
  readonly requested_by: string;
  readonly requested_account: string;
  readonly requested_token: string | null;
  readonly requested_sign_in: string | null;
  readonly seal: Buffer;
  readonly reason: string | null;
}

const CONTROL = 'seq, kind, requested_by, requested_account, requested_token, requested_sign_in, seal, reason';

/** What was asked and not answered, in its order. */
export function selectControls(sql: Sql, rolloutId: string): Promise<ControlRow[]> {
  return sql.query<ControlRow>(
    `SELECT ${CONTROL} FROM rollout_control WHERE rollout_id = $1 AND answer IS NULL ORDER BY seq`,
    [rolloutId],
  );
}

export async function selectControl(sql: Sql, rolloutId: string, seq: number): Promise<ControlRow | undefined> {
  const rows = await sql.query<ControlRow>(
    `SELECT ${CONTROL} FROM rollout_control WHERE rollout_id = $1 AND seq = $2`,
    [rolloutId, seq],
  );
  return rows[0];
}

export interface ReportRow {
  readonly host_id: string;
  readonly action_id: string;
  readonly role: 'forward' | 'undo';
  readonly resolves: boolean;
  readonly outcome: number;
  readonly cancelled_by: string | null;
  readonly decided_by: string | null;
  readonly refusal: string | null;
  readonly message: string | null;
  readonly reason_code: string | null;
  readonly result: Pick<StoredResult, 'steps' | 'confirm'> | null;
}

/** Of how an action ended: what a step needs to know. The whole result only where it says whether the host was changed: failed 4, reverted 5. */
const REPORT = `a.cancelled_by, a.verdict ->> 'decidedBy' AS decided_by,
  (SELECT f ->> 'message' FROM jsonb_array_elements(a.verdict -> 'findings') f WHERE (f ->> 'refuses')::boolean LIMIT 1) AS refusal,
  a.message, a.result ->> 'reasonCode' AS reason_code,
  CASE WHEN coalesce(a.resolved_outcome, a.outcome) IN (4, 5) THEN a.result END AS result`;

/** Ends of actions of this rollout that its targets do not have yet; at most `limit`. */
export function selectReports(sql: Sql, rolloutId: string, limit: number): Promise<ReportRow[]> {
  return sql.query<ReportRow>(
    `(SELECT t.host_id, a.id AS action_id, 'forward' AS role, false AS resolves, a.outcome, ${REPORT}
        FROM rollout_target t JOIN action a ON a.id = t.action_id
       WHERE t.rollout_id = $1 AND t.state = 'dispatched' AND a.state = 'ended' LIMIT $2)
     UNION ALL
     (SELECT t.host_id, a.id, 'undo', false, a.outcome, ${REPORT}
        FROM rollout_target t JOIN action a ON a.id = t.undo_action_id
       WHERE t.rollout_id = $1 AND t.undo_state = 'dispatched' AND a.state = 'ended' LIMIT $2)
     UNION ALL
     (SELECT t.host_id, a.id, 'forward', true, a.resolved_outcome, ${REPORT}
        FROM rollout_target t JOIN action a ON a.id = t.action_id
       WHERE t.rollout_id = $1 AND t.state = 'ended' AND t.outcome IN ('unconfirmed', 'stuck') AND t.resolved_outcome IS NULL
         AND a.resolved_outcome IS NOT NULL LIMIT $2)`,
    [rolloutId, limit],
  );
}

/** Hosts of the rollout whose session is live. */
export async function selectConnected(sql: Sql, rolloutId: string): Promise<string[]> {
  const rows = await sql.query<{ host_id: string }>(
    `SELECT t.host_id FROM rollout_target t JOIN session_presence p ON p.host_id = t.host_id AND p.live WHERE t.rollout_id = $1`,
    [rolloutId],
  );
  return rows.map((row) => row.host_id);
}
