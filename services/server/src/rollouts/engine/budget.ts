import { FAILURE_KINDS } from '../rollouts.schema.ts';
import { hostsOf } from './amounts.ts';
import {
  effectiveOutcome,
  type FailureKind,
  type RolloutModel,
  type Target,
  type TargetOutcome,
} from './rollout.model.ts';

/** One limit beside what has been counted. */
export interface BudgetLine {
  readonly scope: 'whole' | 'wave';
  readonly kind: FailureKind;
  readonly limit: number;
  readonly count: number;
  /** More than the limit, and more than a resume has accepted. Met is not exceeded. */
  readonly exceeded: boolean;
}

export const KIND_OF_OUTCOME: Partial<Record<TargetOutcome, FailureKind>> = {
  refused: 'refused',
  failed: 'failed',
  interrupted: 'failed',
  stuck: 'stuck',
  reverted: 'reverted',
  unreachable: 'unreachable',
  expired: 'unreachable',
  unconfirmed: 'unconfirmed',
  drifted: 'drifted',
};

/** Without a limit of their own: nothing was touched on these hosts. */
export const FREE_KINDS: readonly FailureKind[] = ['refused', 'unreachable'];

/**
 * What kind of failure a target is; undefined: none, so far. What the plan has said is no news: a host that it called refused was approved as such.
 */
export function failureOf(target: Target): FailureKind | undefined {
  const outcome = effectiveOutcome(target);
  if (outcome === null) return target.wait === 'unreachable' ? 'unreachable' : undefined;
  if (outcome === 'refused' && target.attempts === 0) return undefined;
  return KIND_OF_OUTCOME[outcome];
}

/** All limits that hold now: those of the whole rollout, and of the wave under way. */
export function budgetLines({ rollout, waves, targets }: RolloutModel): BudgetLine[] {
  const whole = countFailures(targets.values());
  const inWave = countFailures([...targets.values()].filter(({ wave }) => wave === rollout.wave));
  const size = waves[rollout.wave]?.size ?? 0;
  const { budget } = rollout.options;
  const lines: BudgetLine[] = [];
  for (const kind of FAILURE_KINDS) {
    const given = budget.whole[kind] ?? (FREE_KINDS.includes(kind) ? undefined : '0');
    if (given !== undefined)
      lines.push(
        line('whole', kind, hostsOf(given, targets.size), whole[kind], rollout.memory.accepted[`whole ${kind}`]),
      );
    const perWave = budget.wave[kind];
    const accepted = rollout.memory.accepted[`wave ${rollout.wave} ${kind}`];
    if (perWave !== undefined) lines.push(line('wave', kind, hostsOf(perWave, size), inWave[kind], accepted));
  }
  return lines;
}

/** Counts as they are, to be accepted by whoever resumes. */
export function acceptedNow(model: RolloutModel): Record<string, number> {
  const { wave, memory } = model.rollout;
  const accepted: Record<string, number> = { ...memory.accepted };
  for (const { scope, kind, count } of budgetLines(model)) {
    accepted[scope === 'whole' ? `whole ${kind}` : `wave ${wave} ${kind}`] = count;
  }
  return accepted;
}

function line(
  scope: BudgetLine['scope'],
  kind: FailureKind,
  limit: number,
  count: number,
  accepted: number | undefined,
): BudgetLine {
  return { scope, kind, limit, count, exceeded: count > Math.max(limit, accepted ?? 0) };
}

function countFailures(targets: Iterable<Target>): Record<FailureKind, number> {
  const counts = Object.fromEntries(FAILURE_KINDS.map((kind) => [kind, 0])) as Record<FailureKind, number>;
  for (const target of targets) {
    const kind = failureOf(target);
    if (kind !== undefined) counts[kind] += 1;
    if (target.health.length > 0) counts.unhealthy += 1;
  }
  return counts;
}
