import type { HostScope, Labels } from '../access/host-scope.ts';
import { scopeCondition } from '../access/host-scope.queries.ts';
import { jsonParam } from '../database/json-param.ts';
import { SqlParams } from '../database/sql-params.ts';
import type { RequesterColumns } from './action-requester.ts';
import type { Sql } from '../database/database.service.ts';
import type { ActionState } from './action.states.ts';
import type { StoredResult, StoredVerdict, UndoStepJson } from './action.model.ts';

/** A row of `action` with what is needed beside it to change it. */
export interface HeldRow {
  readonly id: string;
  readonly host_id: string;
  readonly host_name: string;
  readonly host_labels: Labels;
  readonly host_connected: boolean;
  readonly verb: number;
  readonly kmod: string;
  readonly parameters: string[];
  readonly dry_run: boolean;
  readonly reason: string | null;
  readonly request_digest: Buffer;
  readonly state: ActionState;
  readonly outcome: number | null;
  readonly created_at: Date;
  readonly expires_at: Date;
  readonly dispatched_at: Date | null;
  readonly started_at: Date | null;
  readonly ended_at: Date | null;
  readonly cancel_requested_at: Date | null;
  readonly cancelled_by: string | null;
  readonly verdict: StoredVerdict | null;
  readonly result: StoredResult | null;
  readonly message: string | null;
  readonly resolved_outcome: number | null;
  readonly resolved_at: Date | null;
  readonly version: number;
  readonly confirm_window_s: number;
  readonly overrides: string[];
  readonly confirm_deadline: Date | null;
  readonly confirm_offered_at: Date | null;
  readonly confirm_peer: string | null;
  readonly epoch: number;
  readonly sequence: number;
  readonly not_before: Date | null;
  readonly signature: Buffer | null;
  readonly certificate: Buffer | null;
  readonly rollout_id: string | null;
  readonly plan_id: string | null;
  readonly approved_plans: Buffer[];
  readonly undo: UndoStepJson[];
}

/** A row of `action` with what every reader needs beside it. */
export interface ActionRow extends HeldRow, RequesterColumns {
  readonly timeline: { at: string; state: ActionState; outcome: number | null; note: string | null }[] | null;
}

const HELD_COLUMNS = `
  a.id, a.host_id, h.name AS host_name, h.labels AS host_labels, coalesce(p.live, false) AS host_connected, a.verb, a.kmod, a.parameters, a.dry_run, a.reason,
  a.request_digest, a.state, a.outcome, a.created_at, a.expires_at, a.dispatched_at, a.started_at, a.ended_at,
  a.cancel_requested_at, a.cancelled_by, a.verdict, a.result, a.message, a.resolved_outcome, a.resolved_at, a.version,
  a.confirm_window_s, a.overrides, a.confirm_deadline, a.confirm_offered_at, a.confirm_peer,
  a.epoch, a.sequence, a.not_before, a.signature, c.certificate, a.rollout_id, a.plan_id, a.approved_plans, a.undo`;
const COLUMNS = `${HELD_COLUMNS},
  a.requested_by, a.requested_account, a.requested_token, a.requested_sign_in, a.requester_seal, r.name AS requested_account_name,
  (SELECT json_agg(json_build_object('at', t.at, 'state', t.state, 'outcome', t.outcome, 'note', t.note) ORDER BY t.seq)
     FROM action_transition t WHERE t.action_id = a.id) AS timeline`;
const HELD_FROM = `
  FROM action a
  JOIN host h ON h.id = a.host_id
  LEFT JOIN session_presence p ON p.host_id = a.host_id
  LEFT JOIN command_certificate c ON c.id = a.command_certificate`;
const FROM = `${HELD_FROM}
  LEFT JOIN account r ON r.id = a.requested_account`;

/** In flight, as SQL; the same states as IN_FLIGHT_STATES. */
export const IN_FLIGHT = `('dispatched', 'received', 'started')`;

export async function selectAction(sql: Sql, id: string): Promise<ActionRow | undefined> {
  return (await sql.query<ActionRow>(`SELECT ${COLUMNS} ${FROM} WHERE a.id = $1`, [id]))[0];
}

/** Postgres's time, after all locks of the transaction so far were got. */
export async function selectNow(sql: Sql): Promise<Date> {
  const rows = await sql.query<{ now: Date }>('SELECT clock_timestamp() AS now');
  if (rows[0] === undefined) throw new Error('Postgres did not say what time it is');
  return rows[0].now;
}

/** Holds these actions until the transaction ends, in the order of their ids, and reads them as they are then. */
export function holdActions(sql: Sql, ids: readonly string[]): Promise<HeldRow[]> {
  return sql.query<HeldRow>(
    `SELECT ${HELD_COLUMNS} ${HELD_FROM} WHERE a.id = ANY ($1::uuid[]) ORDER BY a.id FOR UPDATE OF a`,
    [ids],
  );
}

export interface ActionFilter {
  /** Actions on other hosts are not shown. */
  readonly scope: HostScope;
  readonly hostId?: string | undefined;
  readonly state?: string | undefined;
  readonly outcome?: number | undefined;
  readonly kmod?: string | undefined;
  /** The last item of the page before. */
  readonly after?: { readonly createdAt: string; readonly id: string } | undefined;
  readonly limit: number;
}

/** Newest first. `created_at_text` keeps the microseconds that a JavaScript Date has not. */
export async function selectActions(
  sql: Sql,
  filter: ActionFilter,
): Promise<(ActionRow & { readonly created_at_text: string })[]> {
  const params = new SqlParams();
  for (const value of [
    filter.hostId ?? null,
    filter.state ?? null,
    filter.outcome ?? null,
    filter.kmod ?? null,
    filter.after?.createdAt ?? null,
    filter.after?.id ?? null,
    filter.limit,
  ])
    params.add(value);
  return sql.query(
    `SELECT ${COLUMNS}, to_char(a.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at_text ${FROM}
      WHERE ($1::uuid IS NULL OR a.host_id = $1)
        AND ($2::text IS NULL OR a.state = $2)
        AND ($3::smallint IS NULL OR coalesce(a.resolved_outcome, a.outcome) = $3)
        AND ($4::text IS NULL OR a.kmod = $4)
        AND ($5::timestamptz IS NULL OR (a.created_at, a.id) < ($5, $6::uuid))
        AND ${scopeCondition(filter.scope, params)}
      ORDER BY a.created_at DESC, a.id DESC
      LIMIT $7`,
    params.values,
  );
}

export interface ActionUpdate {
  readonly id: string;
  readonly state: ActionState;
  readonly outcome: number | null;
  readonly resolvedOutcome: number | null;
  readonly dispatchedAt: Date | null;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly resolvedAt: Date | null;
  readonly cancelRequestedAt: Date | null;
  readonly cancelledBy: string | null;
  readonly confirmDeadline: Date | null;
  readonly confirmOfferedAt: Date | null;
  readonly confirmPeer: string | null;
  /** When the sweeper has to look next; null when never. */
  readonly nextSweepAt: Date | null;
  /** Null keeps what is there. */
  readonly verdict: StoredVerdict | null;
  readonly result: StoredResult | null;
  readonly message: string | null;
}

/** Columns that an update writes, as JSON records. */
const UPDATED = `"id" uuid, "state" text, "outcome" smallint, "resolvedOutcome" smallint, "dispatchedAt" timestamptz, "startedAt" timestamptz,
  "endedAt" timestamptz, "resolvedAt" timestamptz, "cancelRequestedAt" timestamptz, "cancelledBy" text, "nextSweepAt" timestamptz, "verdict" jsonb,
  "result" jsonb, "message" text, "confirmDeadline" timestamptz, "confirmOfferedAt" timestamptz, "confirmPeer" text`;

/** A line of an action's timeline; `number` counts those that are written together. */
export interface NewLine {
  readonly id: string;
  readonly number: number;
  readonly at: Date;
  readonly state: ActionState;
  readonly outcome: number | null;
  readonly note: string;
}

/**
 * Writes changes of actions, one each, and lines of their timelines; the caller holds their rows. As JSON, in one statement: one for each action and line were
 * two thirds of what an action cost.
 */
export async function updateActions(
  sql: Sql,
  updates: readonly ActionUpdate[],
  lines: readonly NewLine[],
): Promise<void> {
  await sql.query(
    `WITH changed AS (
       UPDATE action a SET
         state = g."state", outcome = g."outcome", resolved_outcome = g."resolvedOutcome", dispatched_at = g."dispatchedAt", started_at = g."startedAt",
         ended_at = g."endedAt", resolved_at = g."resolvedAt", cancel_requested_at = g."cancelRequestedAt", cancelled_by = g."cancelledBy",
         next_sweep_at = g."nextSweepAt",
         verdict = coalesce(g."verdict", a.verdict),
         result = CASE WHEN g."result" IS NULL THEN a.result
                       WHEN a.result IS NULL THEN g."result"
                       ELSE g."result" || jsonb_build_object('earlier', a.result) END,
         message = coalesce(g."message", a.message),
         confirm_deadline = g."confirmDeadline", confirm_offered_at = g."confirmOfferedAt", confirm_peer = g."confirmPeer",
         received_at = CASE WHEN g."state" = 'received' THEN coalesce(a.received_at, clock_timestamp()) ELSE a.received_at END,
         version = a.version + 1
         FROM jsonb_to_recordset($1::jsonb) AS g (${UPDATED})
        WHERE a.id = g."id")
     INSERT INTO action_transition (action_id, seq, at, state, outcome, note)
     SELECT l.id, (SELECT coalesce(max(t.seq), 0) FROM action_transition t WHERE t.action_id = l.id) + l.number, l.at, l.state, l.outcome, l.note
       FROM jsonb_to_recordset($2::jsonb) AS l (id uuid, number integer, at timestamptz, state text, outcome smallint, note text)`,
    [jsonParam(updates), jsonParam(lines)],
  );
}

/** Ends an action without reading its row, with a line in its timeline. Nothing happens to one that has ended. */
export async function endUnread(sql: Sql, id: string, outcome: number, note: string): Promise<void> {
  await sql.query(
    `WITH gone AS (
       UPDATE action SET state = 'ended', outcome = $2, ended_at = clock_timestamp(), next_sweep_at = NULL, version = version + 1
        WHERE id = $1 AND state <> 'ended' RETURNING id, ended_at)
     INSERT INTO action_transition (action_id, seq, at, state, outcome, note)
     SELECT id, (SELECT coalesce(max(seq), 0) + 1 FROM action_transition WHERE action_id = $1), ended_at, 'ended', $2, $3 FROM gone`,
    [id, outcome, note],
  );
}

/** How many results a host may have kept apart under one id; a correct agent never sends a second one after the acknowledgement. */
const KEPT_APART_LIMIT = 20;

/** Keeps a result that belongs to no action as it is known here. `result` is a list: one entry a report. */
export async function insertUnknownResult(
  sql: Sql,
  actionId: string,
  hostId: string,
  entry: { why: string; result: unknown },
): Promise<void> {
  await sql.query(
    `INSERT INTO unknown_result AS u (action_id, host_id, result) VALUES ($1, $2, jsonb_build_array($3::jsonb))
     ON CONFLICT (action_id, host_id) DO UPDATE SET result = u.result || excluded.result, received_at = now()
      WHERE jsonb_array_length(u.result) < ${KEPT_APART_LIMIT} AND NOT u.result @> excluded.result`,
    [actionId, hostId, JSON.stringify(entry)],
  );
}

/**
 * Ids of the actions that became due for the sweep. Partial index action_sweep_idx. While commands are stopped nothing is said of what is queued: in a
 * database that was put back it may have been sent after the backup, so that it did not start is not known.
 */
export async function selectDue(sql: Sql, limit: number): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    `SELECT id FROM action
      WHERE next_sweep_at <= clock_timestamp()
        AND (state <> 'queued' OR EXISTS (SELECT 1 FROM command_stop WHERE id = 1 AND at IS NULL))
      ORDER BY next_sweep_at LIMIT $1`,
    [limit],
  );
  return rows.map((row) => row.id);
}
