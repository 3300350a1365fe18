import type { StoredVerdict } from '../../actions/action.model.ts';
import type { ActionState } from '../../actions/action.states.ts';
import type { Sql } from '../../database/database.service.ts';
import type { NewTarget, PlanTargetFilter, Standing } from './plan.model.ts';
import { STANDING } from './plan.queries.ts';

/** Rows a statement. */
const CHUNK = 5_000;

export async function insertTargets(sql: Sql, planId: string, targets: readonly NewTarget[]): Promise<void> {
  for (let from = 0; from < targets.length; from += CHUNK) {
    const some = targets.slice(from, from + CHUNK);
    await sql.query(
      `INSERT INTO rollout_plan_target (plan_id, host_id, action_id, standing, code, message, kernel_release, hardware)
       SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])`,
      [
        planId,
        some.map(({ hostId }) => hostId),
        some.map(({ actionId }) => actionId),
        some.map(({ judged }) => judged?.standing ?? null),
        some.map(({ judged }) => judged?.code ?? ''),
        some.map(({ judged }) => judged?.message ?? ''),
        some.map(({ kernelRelease }) => kernelRelease),
        some.map(({ hardware }) => hardware),
      ],
    );
  }
}

export interface PlanTargetRow extends DryRunColumns {
  readonly host_id: string;
  readonly host_name: string;
  readonly action_id: string | null;
  readonly standing: Standing | null;
  readonly code: string;
  readonly message: string;
  readonly class: number | null;
  readonly kernel_release: string;
  readonly hardware: string;
}

/** The dry run behind a target; null where there is none. */
export interface DryRunColumns {
  readonly state: ActionState | null;
  readonly outcome: number | null;
  readonly verdict: StoredVerdict | null;
  readonly reason_code: string | null;
  readonly host_message: string | null;
}

const DRY_RUN = `a.state, coalesce(a.resolved_outcome, a.outcome) AS outcome, a.verdict, a.result ->> 'reasonCode' AS reason_code, a.message AS host_message`;

/** By host name and id. @param after the last item of the page before. */
export function selectTargets(
  sql: Sql,
  planId: string,
  filter: PlanTargetFilter,
  after: { readonly name: string; readonly id: string } | undefined,
  limit: number,
): Promise<PlanTargetRow[]> {
  return sql.query<PlanTargetRow>(
    `SELECT t.host_id, h.name AS host_name, t.action_id, t.standing, t.code, t.message, t.class, t.kernel_release, t.hardware, ${DRY_RUN}
       FROM rollout_plan_target t JOIN host h ON h.id = t.host_id LEFT JOIN action a ON a.id = t.action_id
      WHERE t.plan_id = $1
        AND ($2::text IS NULL OR ${STANDING} = $2)
        AND ($3::text IS NULL OR t.code = $3)
        AND ($4::int IS NULL OR t.class = $4)
        AND ($5::text IS NULL OR (h.name, h.id) > ($5, $6::uuid))
      ORDER BY h.name, h.id
      LIMIT $7`,
    [
      planId,
      filter.standing ?? null,
      filter.code ?? null,
      filter.class ?? null,
      after?.name ?? null,
      after?.id ?? null,
      limit,
    ],
  );
}

export interface AskedTargetRow {
  readonly host_id: string;
  readonly host_name: string;
  readonly action_id: string | null;
  readonly standing: Standing | null;
  readonly code: string;
  readonly message: string;
}

/** All targets, without what their hosts said, by host name and id. */
export function selectAllTargets(sql: Sql, planId: string): Promise<AskedTargetRow[]> {
  return sql.query<AskedTargetRow>(
    `SELECT t.host_id, h.name AS host_name, t.action_id, t.standing, t.code, t.message
       FROM rollout_plan_target t JOIN host h ON h.id = t.host_id WHERE t.plan_id = $1 ORDER BY h.name, h.id`,
    [planId],
  );
}

/** What these dry runs came to. */
export function selectDryRuns(
  sql: Sql,
  actionIds: readonly string[],
): Promise<(DryRunColumns & { readonly id: string })[]> {
  return sql.query(`SELECT a.id, ${DRY_RUN} FROM action a WHERE a.id = ANY ($1::uuid[])`, [actionIds]);
}

export interface SettledTarget {
  readonly hostId: string;
  readonly standing: Standing;
  readonly code: string;
  readonly message: string;
  readonly class: number | null;
}

export async function updateTargets(sql: Sql, planId: string, targets: readonly SettledTarget[]): Promise<void> {
  for (let from = 0; from < targets.length; from += CHUNK) {
    const some = targets.slice(from, from + CHUNK);
    await sql.query(
      `UPDATE rollout_plan_target t SET standing = g.standing, code = g.code, message = g.message, class = g.class
         FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::int[]) AS g (host_id, standing, code, message, class)
        WHERE t.plan_id = $1 AND t.host_id = g.host_id`,
      [
        planId,
        some.map(({ hostId }) => hostId),
        some.map(({ standing }) => standing),
        some.map(({ code }) => code),
        some.map(({ message }) => message),
        some.map((target) => target.class),
      ],
    );
  }
}
