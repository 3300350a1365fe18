import type { Sql } from '../../database/database.service.ts';
import type { Judged, StoredPlan } from './plan.model.ts';
import { dryRunEnd } from './plan.rows.ts';
import { judge, planHash } from './plan.rules.ts';
import { updateReady } from './plan-state.queries.ts';
import { type ClassMark, PlanTally } from './plan-tally.ts';
import {
  type AskedTargetRow,
  type DryRunColumns,
  selectAllTargets,
  selectDryRuns,
  updateTargets,
} from './plan-target.queries.ts';

/** Rollouts are created from a plan this long after it was made ready. */
export const PLAN_LIFE_S = 24 * 60 * 60;
/** Verdicts in memory at a time; one has a kilobyte, or some more. */
const PAGE = 1_000;

/**
 * Makes a plan ready by what its hosts have said so far, in a transaction that holds its row.
 *
 * @returns `open`: dry runs that have not ended.
 */
export async function settle(sql: Sql, plan: StoredPlan): Promise<{ readonly open: readonly string[] }> {
  const targets = await selectAllTargets(sql, plan.id);
  const tally = new PlanTally(plan.overrides);
  const settled: { readonly hostId: string; readonly judged: Judged; readonly mark: ClassMark | null }[] = [];
  const open: string[] = [];
  for (let from = 0; from < targets.length; from += PAGE) {
    const some = targets.slice(from, from + PAGE);
    const runs = await dryRunsOf(sql, some);
    for (const target of some) {
      const run = target.action_id === null ? undefined : runs.get(target.action_id);
      const end = run === undefined ? undefined : dryRunEnd(run);
      const judged = known(target) ?? judge(end, plan.answersUntil);
      const host = { id: target.host_id, name: target.host_name };
      settled.push({ hostId: host.id, judged, mark: tally.add(host, judged, end?.verdict ?? null) });
      if (target.action_id !== null && end === undefined) open.push(target.action_id);
    }
  }
  const { numberOf, ...groups } = tally.groups();
  await updateTargets(
    sql,
    plan.id,
    settled.map(({ hostId, judged, mark }) => ({ hostId, ...judged, class: numberOf(mark) })),
  );
  const hash = planHash(
    plan,
    settled.map(({ hostId, judged, mark }) => ({ hostId, standing: judged.standing, digest: mark?.digest ?? null })),
  );
  await updateReady(sql, plan.id, hash, groups, PLAN_LIFE_S);
  return { open };
}

/** What was known before it could be asked. */
function known({ standing, code, message }: AskedTargetRow): Judged | undefined {
  return standing === null ? undefined : { standing, code, message };
}

async function dryRunsOf(sql: Sql, targets: readonly AskedTargetRow[]): Promise<ReadonlyMap<string, DryRunColumns>> {
  const ids = targets.flatMap(({ action_id }) => action_id ?? []);
  return new Map((await selectDryRuns(sql, ids)).map((run) => [run.id, run]));
}
