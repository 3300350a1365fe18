import { toRecord } from '../../actions/action.view.ts';
import { rolloutVerbOf } from '../rollout-verb.ts';
import type { PlanCounts, PlanItem, PlanTargetItem, Standing, StoredPlan } from './plan.model.ts';
import type { PlanSummaryRow } from './plan.queries.ts';
import { dryRunEnd } from './plan.rows.ts';
import { evidenceOf, judge } from './plan.rules.ts';
import type { PlanTargetRow } from './plan-target.queries.ts';

/** What stands beside a plan in an answer. */
export interface PlanAside {
  readonly counts: PlanCounts;
  readonly newMatches: readonly { readonly id: string; readonly name: string }[];
  /** Ids of rollouts that were created from it. */
  readonly rollouts: readonly string[];
}

/** A plan as the API shows it. */
export function toPlanItem(plan: StoredPlan, { counts, newMatches, rollouts }: PlanAside): PlanItem {
  return {
    id: plan.id,
    state: plan.state,
    verb: plan.verb,
    kmod: plan.kmod,
    parameters: toRecord(plan.parameters),
    confirmWindow: plan.confirmWindowSeconds === 0 ? null : plan.confirmWindowSeconds,
    overrides: [...plan.overrides],
    selector: plan.selector,
    reason: plan.reason,
    requestedBy: plan.requestedBy,
    createdAt: plan.createdAt.toISOString(),
    answersUntil: plan.answersUntil.toISOString(),
    readyAt: plan.readyAt?.toISOString() ?? null,
    expiresAt: plan.expiresAt.toISOString(),
    hash: plan.hash?.toString('hex') ?? null,
    counts,
    unknownInSelector: plan.unknownInSelector,
    newMatches: [...newMatches],
    classes: [...plan.classes],
    refusals: [...plan.refusals],
    unknowns: [...plan.unknowns],
    rollouts: [...rollouts],
  };
}

export function toCounts(rows: readonly { readonly standing: Standing | null; readonly hosts: number }[]): PlanCounts {
  const of = (standing: Standing | null): number => rows.find((row) => row.standing === standing)?.hosts ?? 0;
  return {
    total: rows.reduce((sum, { hosts }) => sum + hosts, 0),
    wouldChange: of('would_change'),
    unchanged: of('unchanged'),
    refused: of('refused'),
    unknown: of('unknown'),
    asked: of(null),
  };
}

export function toPlanSummary(row: PlanSummaryRow) {
  return {
    id: row.id,
    state: row.state,
    verb: rolloutVerbOf(row.verb),
    kmod: row.kmod,
    selector: row.selector,
    requestedBy: row.requested_by,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    hosts: row.hosts,
  };
}

/** A target; before the plan is settled as it would be by what its host has said so far. */
export function toPlanTarget(row: PlanTargetRow, plan: Pick<StoredPlan, 'answersUntil'>): PlanTargetItem {
  const end = dryRunEnd(row);
  const { standing, code, message } = row;
  const settled = standing === null ? null : { standing, code, message };
  const judged = settled ?? (end === undefined ? null : judge(end, plan.answersUntil));
  return {
    host: { id: row.host_id, name: row.host_name },
    standing: judged?.standing ?? null,
    code: judged?.code ?? '',
    message: judged?.message ?? '',
    evidence: [...evidenceOf(row.verdict, judged)],
    class: row.class,
    kernelRelease: row.kernel_release,
    hardware: row.hardware,
    action: row.action_id,
  };
}
