import type { HostScope, Labels } from '../../access/host-scope.ts';
import { scopeCondition } from '../../access/host-scope.queries.ts';
import { outcomeNumber } from '../../actions/action.states.ts';
import type { Sql } from '../../database/database.service.ts';
import { SqlParams } from '../../database/sql-params.ts';
import { selectionSql } from '../../selectors/selection.queries.ts';
import { allHostsInScope } from '../rollout-scope.queries.ts';
import type { PlanClass, PlanRefusal, PlanUnknown, Standing } from './plan.model.ts';
import { STANDING_BY_OUTCOME } from './plan.rules.ts';

export interface PlanRow {
  readonly id: string;
  readonly state: 'asking' | 'ready';
  readonly verb: number;
  readonly kmod: string;
  readonly parameters: string[];
  readonly confirm_window_s: number;
  readonly overrides: string[];
  readonly selector: string | null;
  readonly reason: string | null;
  readonly requested_by: string;
  readonly created_at: Date;
  readonly answers_until: Date;
  readonly ready_at: Date | null;
  readonly expires_at: Date;
  readonly unknown_in_selector: number;
  readonly hash: Buffer | null;
  readonly classes: PlanClass[];
  readonly refusals: PlanRefusal[];
  readonly unknowns: PlanUnknown[];
}

const columns = (
  scope: HostScope,
  params: SqlParams,
): string => `p.id, p.state, p.verb, p.kmod, p.parameters, p.confirm_window_s, p.overrides, p.selector, p.reason, p.requested_by, p.created_at,
  p.answers_until, p.ready_at, p.expires_at, p.hash, p.classes, p.refusals, p.unknowns, ${unknownInScope(scope, params)} AS unknown_in_selector`;

/** Hosts in scope of which a fact in the selector of plan `p` was unknown: others are not counted for whoever may not read them. */
function unknownInScope(scope: HostScope, params: SqlParams): string {
  if (scope === 'all') return 'cardinality(p.unknown_hosts)';
  const condition = scopeCondition(scope, params, 'uh.labels');
  return `(SELECT count(*)::int FROM host uh WHERE uh.id = ANY (p.unknown_hosts) AND ${condition})`;
}

/** All hosts of plan `p` are in scope. */
const inScope = (scope: HostScope, params: SqlParams): string =>
  allHostsInScope(scope, params, { table: 'rollout_plan_target', key: 'plan_id', id: 'p.id' });

/**
 * Where a target stands (`t` with its dry run `a`), also before the plan is settled: as plan.rules.ts judges. NULL: the host has not answered. That a dry run would
 * change something and does not say what is counted as unknown there, too.
 */
export const STANDING = `CASE
  WHEN t.standing IS NOT NULL THEN t.standing
  WHEN a.state IS DISTINCT FROM 'ended' THEN NULL
  ${Object.entries(STANDING_BY_OUTCOME)
    .map(([outcome, standing]) => {
      const verdict = standing === 'would_change' ? ' AND a.verdict IS NOT NULL' : '';
      return `WHEN coalesce(a.resolved_outcome, a.outcome) = ${outcomeNumber(outcome as keyof typeof STANDING_BY_OUTCOME)}${verdict} THEN '${standing}'`;
    })
    .join('\n  ')}
  ELSE 'unknown' END`;

export async function selectPlan(sql: Sql, id: string, scope: HostScope): Promise<PlanRow | undefined> {
  const params = new SqlParams();
  const text = `SELECT ${columns(scope, params)} FROM rollout_plan p WHERE p.id = ${params.add(id)} AND ${inScope(scope, params)}`;
  return (await sql.query<PlanRow>(text, params.values))[0];
}

/** A plan in a list. */
export type PlanSummaryRow = Pick<
  PlanRow,
  'id' | 'state' | 'verb' | 'kmod' | 'selector' | 'requested_by' | 'created_at' | 'expires_at'
> & {
  readonly hosts: number;
  /** With the microseconds that a JavaScript Date has not. */
  readonly created_at_text: string;
};

/** Newest first. @param after the last item of the page before. */
export function selectPlans(
  sql: Sql,
  scope: HostScope,
  after: { readonly createdAt: string; readonly id: string } | undefined,
  limit: number,
): Promise<PlanSummaryRow[]> {
  const params = new SqlParams();
  const [createdAt, id, count] = [after?.createdAt ?? null, after?.id ?? null, limit].map((value) => params.add(value));
  return sql.query<PlanSummaryRow>(
    `SELECT p.id, p.state, p.verb, p.kmod, p.selector, p.requested_by, p.created_at, p.expires_at,
            to_char(p.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at_text,
            (SELECT count(*)::int FROM rollout_plan_target t WHERE t.plan_id = p.id) AS hosts
       FROM rollout_plan p
      WHERE (${createdAt}::timestamptz IS NULL OR (p.created_at, p.id) < (${createdAt}, ${id}::uuid)) AND ${inScope(scope, params)}
      ORDER BY p.created_at DESC, p.id DESC
      LIMIT ${count}`,
    params.values,
  );
}

/** How many hosts stand where; null: not answered yet. */
export function countStandings(
  sql: Sql,
  planId: string,
): Promise<{ readonly standing: Standing | null; readonly hosts: number }[]> {
  return sql.query(
    `SELECT s.standing, count(*)::int AS hosts
       FROM (SELECT ${STANDING} AS standing FROM rollout_plan_target t LEFT JOIN action a ON a.id = t.action_id WHERE t.plan_id = $1) s
      GROUP BY s.standing`,
    [planId],
  );
}

export async function selectRolloutsOf(sql: Sql, planId: string): Promise<string[]> {
  const rows = await sql.query<{ id: string }>('SELECT id FROM rollout WHERE plan_id = $1 ORDER BY created_at, id', [
    planId,
  ]);
  return rows.map(({ id }) => id);
}

/** Hosts in scope that match a selector now and are no targets of the plan, by name. @param selector undefined: all hosts. */
export async function selectNewMatches(
  sql: Sql,
  planId: string,
  selector: string | undefined,
  scope: HostScope,
  limit: number,
): Promise<{ id: string; name: string }[]> {
  const params = new SqlParams();
  const selected = await selectionSql(sql, { selector, scope }, params);
  return sql.query(
    `SELECT h.id, h.name FROM (${selected}) s JOIN host h ON h.id = s.id
      WHERE s.matches AND NOT EXISTS (SELECT 1 FROM rollout_plan_target t WHERE t.plan_id = ${params.add(planId)} AND t.host_id = h.id)
      ORDER BY h.name, h.id LIMIT ${params.add(limit)}`,
    params.values,
  );
}

export interface PlanHostRow {
  readonly id: string;
  readonly name: string;
  readonly labels: Labels;
  readonly kernel_release: string;
  readonly virtualization: string | null;
  readonly retired: boolean;
  readonly revoked: boolean;
  readonly quarantined: boolean;
  readonly quarantine_reason: string | null;
  readonly live: boolean;
  readonly seen_at: Date | null;
}

/** What is known of the hosts of a plan before they are asked, by id. */
export function selectPlanHosts(sql: Sql, hostIds: readonly string[]): Promise<PlanHostRow[]> {
  return sql.query<PlanHostRow>(
    `SELECT h.id, h.name, h.labels, h.kernel_release, h.facts ->> 'virtualization' AS virtualization, h.retired_at IS NOT NULL AS retired,
            h.revoked_at IS NOT NULL AS revoked, h.quarantined_at IS NOT NULL AS quarantined, h.quarantine_reason,
            coalesce(p.live, false) AS live, greatest(p.seen_at, h.last_seen_at) AS seen_at
       FROM host h LEFT JOIN session_presence p ON p.host_id = h.id
      WHERE h.id = ANY ($1::uuid[])
      ORDER BY h.id`,
    [hostIds],
  );
}
