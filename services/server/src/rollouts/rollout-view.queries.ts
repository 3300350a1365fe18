import { ALL_OUTCOME_WORDS, type OutcomeWord, takesAway } from '@modfleet/proto';
import type { HostScope } from '../access/host-scope.ts';
import { outcomeNumber } from '../actions/action.states.ts';
import type { Sql } from '../database/database.service.ts';
import { SqlParams } from '../database/sql-params.ts';
import type { RolloutState, TargetOutcome } from './engine/rollout.model.ts';
import { rolloutVerb } from './plan/plan.schema.ts';
import { verbNumber } from './rollout-verb.ts';
import { allHostsInScope } from './rollout-scope.queries.ts';

/** A rollout as it is shown, without its targets. */
export interface ShownRow {
  readonly id: string;
  readonly plan_id: string;
  readonly parent_id: string | null;
  readonly state: RolloutState;
  readonly state_why: string;
  readonly options: unknown;
  readonly hash: Buffer;
  readonly reason: string | null;
  readonly requested_by: string;
  readonly requested_account: string;
  readonly approved_by: string | null;
  readonly approved_at: Date | null;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly ended_at: Date | null;
  readonly deadline: Date;
  readonly wave: number;
  readonly memory: { readonly accepted: Readonly<Record<string, number>>; readonly undoUntil?: number };
  readonly version: number;
  readonly verb: number;
  readonly kmod: string;
  readonly parameters: string[];
  readonly confirm_window_s: number;
  readonly selector: string | null;
}

const COLUMNS = `r.id, r.plan_id, r.parent_id, r.state, r.state_why, r.options, r.hash, r.reason, r.requested_by, r.requested_account, r.approved_by, r.approved_at, r.created_at,
  r.started_at, r.ended_at, r.deadline, r.wave, r.memory, r.version, p.verb, p.kmod, p.parameters, p.confirm_window_s, p.selector`;

const inScope = (scope: HostScope, params: SqlParams): string =>
  allHostsInScope(scope, params, { table: 'rollout_target', key: 'rollout_id', id: 'r.id' });

export async function selectShown(sql: Sql, id: string, scope: HostScope): Promise<ShownRow | undefined> {
  const params = new SqlParams();
  const rows = await sql.query<ShownRow>(
    `SELECT ${COLUMNS} FROM rollout r JOIN rollout_plan p ON p.id = r.plan_id WHERE r.id = ${params.add(id)}::uuid AND ${inScope(scope, params)}`,
    params.values,
  );
  return rows[0];
}

/** A late report stands in the place of what it resolved, also after the rollout is over. */
const RESOLVED = `CASE WHEN t.outcome IN ('unconfirmed', 'stuck') THEN coalesce(t.resolved_outcome,
  CASE a.resolved_outcome ${ALL_OUTCOME_WORDS.map((word) => `WHEN ${outcomeNumber(word)} THEN '${word}'`).join(' ')} END) END`;
const EFFECTIVE = `coalesce(${RESOLVED}, t.outcome)`;
/** It was as asked, and is as before by now. */
const PUT_BACK = `coalesce(t.undo_outcome IN ('succeeded', 'unchanged'), false)`;
/** As the API calls it: what is at the host is running. */
const STATE = `CASE WHEN t.state = 'pending' AND t.wait <> '' THEN 'waiting'
  WHEN t.state = 'dispatched' AND a.state IN ('dispatched', 'received', 'started') THEN 'running' ELSE t.state END`;

const AWAY = rolloutVerb.options.filter(takesAway).map(verbNumber).join(', ');

/** Hosts of a rollout in one state, by wave. */
export interface CountRow {
  readonly wave: number;
  readonly state: 'pending' | 'waiting' | 'dispatched' | 'running' | 'ended';
  readonly wait: '' | 'unreachable' | 'in_use';
  readonly outcome: TargetOutcome | null;
  /** The plan had called it refused. */
  readonly planned: boolean;
  readonly unhealthy: boolean;
  readonly can_return: boolean;
  readonly undo: 'none' | 'pending' | 'dispatched' | 'restored' | 'failed';
  readonly unknown: boolean;
  readonly hosts: number;
}

/** One pass over the targets gives all that is counted. */
export function countTargets(sql: Sql, rolloutId: string): Promise<CountRow[]> {
  return sql.query<CountRow>(
    `SELECT s.*, count(*)::int AS hosts FROM (
       SELECT t.wave, ${STATE} AS state, t.wait, ${EFFECTIVE} AS outcome, t.outcome = 'refused' AND t.attempts = 0 AS planned,
              t.health <> '[]'::jsonb AS unhealthy,
              a.verb IN (${AWAY}) AND ${EFFECTIVE} IN ('succeeded', 'unchanged') AND jsonb_array_length(coalesce(a.result -> 'reloadPaths', '[]')) > 0
                AND t.undo_state = '' AS can_return,
              CASE t.undo_state WHEN '' THEN 'none' WHEN 'ended' THEN CASE WHEN t.undo_outcome IN ('succeeded', 'unchanged') THEN 'restored' ELSE 'failed' END
                ELSE t.undo_state END AS undo,
              t.state = 'ended' AND t.changed IS NULL AS unknown
         FROM rollout_target t LEFT JOIN action a ON a.id = t.action_id
        WHERE t.rollout_id = $1) s
      GROUP BY s.wave, s.state, s.wait, s.outcome, s.planned, s.unhealthy, s.can_return, s.undo, s.unknown`,
    [rolloutId],
  );
}

/** Failures alike, with some of their hosts. `kind_outcome`: what failed; 'unhealthy' for what a look found. */
export interface FailureRow {
  readonly outcome: TargetOutcome | 'unhealthy';
  readonly code: string;
  readonly message: string;
  readonly hosts: number;
  readonly sample: { readonly id: string; readonly name: string }[];
}

export function selectFailures(sql: Sql, rolloutId: string, limit: number): Promise<FailureRow[]> {
  return sql.query<FailureRow>(
    `SELECT f.outcome, f.code, (array_agg(f.message ORDER BY f.position))[1] AS message, count(*)::int AS hosts,
            (SELECT json_agg(x) FROM (SELECT unnest((array_agg(json_build_object('id', f.host_id, 'name', h.name) ORDER BY f.position))[1:5]) AS x) s) AS sample
       FROM (SELECT t.position, t.host_id, CASE WHEN t.state = 'ended' THEN ${EFFECTIVE} ELSE 'unreachable' END AS outcome, t.code,
                    CASE WHEN t.state = 'ended' THEN t.message ELSE 'not connected; it is waited for until the deadline' END AS message
               FROM rollout_target t LEFT JOIN action a ON a.id = t.action_id
              WHERE t.rollout_id = $1 AND ((t.state = 'ended' AND ${EFFECTIVE} NOT IN ('succeeded', 'unchanged', 'not_run', 'cancelled')) OR t.wait = 'unreachable')
             UNION ALL
             SELECT t.position, t.host_id, 'unhealthy', problem ->> 'what', problem ->> 'detail'
               FROM rollout_target t CROSS JOIN jsonb_array_elements(t.health) problem WHERE t.rollout_id = $1) f
       JOIN host h ON h.id = f.host_id
      GROUP BY f.outcome, f.code ORDER BY count(*) DESC, f.outcome, f.code LIMIT $2`,
    [rolloutId, limit],
  );
}

/** A rollout in a list. */
export interface SummaryRow {
  readonly id: string;
  readonly state: RolloutState;
  readonly verb: number;
  readonly kmod: string;
  readonly selector: string | null;
  readonly requested_by: string;
  readonly created_at: Date;
  readonly created_at_text: string;
  readonly ended_at: Date | null;
  readonly hosts: number;
  readonly ended: number;
  readonly as_asked: number;
}

/** Newest first. */
export function selectSummaries(
  sql: Sql,
  state: RolloutState | undefined,
  after: { readonly createdAt: string; readonly id: string } | undefined,
  scope: HostScope,
  limit: number,
): Promise<SummaryRow[]> {
  const params = new SqlParams();
  const [stateIs, createdAt, id, count] = [state ?? null, after?.createdAt ?? null, after?.id ?? null, limit].map(
    (value) => params.add(value),
  );
  return sql.query<SummaryRow>(
    `SELECT r.id, r.state, p.verb, p.kmod, p.selector, r.requested_by, r.created_at, r.ended_at,
            to_char(r.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at_text, c.*
       FROM rollout r JOIN rollout_plan p ON p.id = r.plan_id
       CROSS JOIN LATERAL (
         SELECT count(*)::int AS hosts, count(*) FILTER (WHERE t.state = 'ended')::int AS ended,
                count(*) FILTER (WHERE ${EFFECTIVE} IN ('succeeded', 'unchanged') AND NOT ${PUT_BACK})::int AS as_asked
           FROM rollout_target t LEFT JOIN action a ON a.id = t.action_id WHERE t.rollout_id = r.id) c
      WHERE (${stateIs}::text IS NULL OR r.state = ${stateIs})
        AND (${createdAt}::timestamptz IS NULL OR (r.created_at, r.id) < (${createdAt}, ${id}::uuid)) AND ${inScope(scope, params)}
      ORDER BY r.created_at DESC, r.id DESC LIMIT ${count}`,
    params.values,
  );
}

export interface ShownTargetRow {
  readonly host_id: string;
  readonly name: string;
  readonly position: number;
  readonly wave: number;
  readonly state: CountRow['state'];
  readonly wait: '' | 'unreachable' | 'in_use';
  readonly outcome: TargetOutcome | null;
  readonly resolved: TargetOutcome | null;
  readonly late: boolean;
  readonly code: string;
  readonly message: string;
  readonly evidence: { readonly kind: string; readonly value: string }[] | null;
  readonly attempts: number;
  readonly action_id: string | null;
  readonly health: { readonly what: string; readonly detail: string }[];
  readonly health_seen: boolean;
  readonly undo_state: '' | 'pending' | 'dispatched' | 'ended';
  readonly undo_outcome: OutcomeWord | null;
  readonly undo_message: string;
  readonly undo_action_id: string | null;
  readonly started_at: Date | null;
  readonly ended_at: Date | null;
}

export interface TargetFilter {
  readonly state?: string | undefined;
  readonly outcome?: string | undefined;
  readonly wave?: number | undefined;
  readonly unhealthy?: boolean | undefined;
}

/** In the order of the rollout, after `position`. Evidence is what its verdict stood on; of a host that the plan refused, that of its dry run. */
export function selectShownTargets(
  sql: Sql,
  rolloutId: string,
  { state, outcome, wave, unhealthy }: TargetFilter,
  after: number | undefined,
  limit: number,
): Promise<ShownTargetRow[]> {
  return sql.query<ShownTargetRow>(
    `SELECT * FROM (
       SELECT t.host_id, h.name, t.position, t.wave, ${STATE} AS state, t.wait, t.outcome, ${RESOLVED} AS resolved, ${EFFECTIVE} AS effective, t.late, t.code, t.message,
              (SELECT f -> 'evidence' FROM jsonb_array_elements(coalesce(a.verdict, d.verdict) -> 'findings') f WHERE f ->> 'code' = t.code LIMIT 1) AS evidence,
              t.attempts, t.action_id, t.health, t.health_seen, t.undo_state, t.undo_outcome, t.undo_message, t.undo_action_id, t.started_at, t.ended_at
         FROM rollout_target t JOIN host h ON h.id = t.host_id JOIN rollout r ON r.id = t.rollout_id LEFT JOIN action a ON a.id = t.action_id
         LEFT JOIN rollout_plan_target pt ON pt.plan_id = r.plan_id AND pt.host_id = t.host_id LEFT JOIN action d ON d.id = pt.action_id
        WHERE t.rollout_id = $1 AND ($2::int IS NULL OR t.position > $2) AND ($3::int IS NULL OR t.wave = $3)
          AND ($4::boolean IS NULL OR (t.health <> '[]'::jsonb) = $4)) s
      WHERE ($5::text IS NULL OR s.state = $5) AND ($6::text IS NULL OR s.effective = $6)
      ORDER BY s.position LIMIT $7`,
    [rolloutId, after ?? null, wave ?? null, unhealthy ?? null, state ?? null, outcome ?? null, limit],
  );
}

export function selectNotes(sql: Sql, rolloutId: string): Promise<{ at: Date; text: string }[]> {
  return sql.query('SELECT at, text FROM rollout_note WHERE rollout_id = $1 ORDER BY seq LIMIT 1000', [rolloutId]);
}

/** Hosts of a rollout that may be tried again: not those that the plan had called refused, which takes another plan. */
export function selectRetryable(
  sql: Sql,
  rolloutId: string,
  outcomes: readonly string[],
): Promise<{ host_id: string }[]> {
  return sql.query(
    `SELECT t.host_id FROM rollout_target t LEFT JOIN action a ON a.id = t.action_id WHERE t.rollout_id = $1 AND ${EFFECTIVE} = ANY ($2::text[]) AND NOT (t.outcome = 'refused' AND t.attempts = 0)
      ORDER BY t.position`,
    [rolloutId, outcomes],
  );
}
