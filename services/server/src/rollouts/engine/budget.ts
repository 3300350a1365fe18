import { FAILURE_KINDS } from '../rollouts.schema.ts';
import { hostsOf } from './amounts.ts';
import {
  effectiveOutcome,
  type FailureKind,
  type Memory,
  type Rollout,
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
const FREE_KINDS: readonly FailureKind[] = ['refused', 'unreachable'];

/**
 * What kind of failure a target is; undefined: none, so far. What the plan has said is no news: a host that it called refused was approved as such.
 */
export function failureOf(target: Target): FailureKind | undefined {
  const outcome = effectiveOutcome(target);
  if (outcome === null) return target.wait === 'unreachable' ? 'unreachable' : undefined;
  if (outcome === 'refused' && target.attempts === 0) return undefined;
  return KIND_OF_OUTCOME[outcome];
}

/** Hosts by kind of failure. */
export type FailureCounts = Readonly<Record<FailureKind, number>>;

/** What a budget is held against: of the whole rollout, and of the wave under way. */
export interface Counted {
  readonly hosts: number;
  readonly failures: FailureCounts;
}

/** All limits that hold now: those of the whole rollout, and of the wave under way. */
export function budgetLines({ rollout, waves, targets }: RolloutModel): BudgetLine[] {
  const inWave = [...targets.values()].filter(({ wave }) => wave === rollout.wave);
  const whole = { hosts: targets.size, failures: countFailures(targets.values()) };
  return linesOf(rollout, whole, { hosts: waves[rollout.wave]?.size ?? 0, failures: countFailures(inWave) });
}

/** The same over what is counted already. */
export function linesOf(
  { wave, memory, options }: Pick<Rollout, 'wave' | 'options'> & { readonly memory: Pick<Memory, 'accepted'> },
  inAll: Counted,
  inWave: Counted,
): BudgetLine[] {
  const { budget } = options;
  return FAILURE_KINDS.flatMap((kind) => {
    const whole = budget.whole[kind] ?? (FREE_KINDS.includes(kind) ? undefined : '0');
    const perWave = budget.wave[kind];
    return [
      ...(whole === undefined ? [] : [line('whole', kind, whole, inAll, memory.accepted[`whole ${kind}`])]),
      ...(perWave === undefined ? [] : [line('wave', kind, perWave, inWave, memory.accepted[`wave ${wave} ${kind}`])]),
    ];
  });
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
  given: string,
  { hosts, failures }: Counted,
  accepted = 0,
): BudgetLine {
  const limit = hostsOf(given, hosts);
  const count = failures[kind];
  return { scope, kind, limit, count, exceeded: count > Math.max(limit, accepted) };
}

function countFailures(targets: Iterable<Target>): FailureCounts {
  const counts = noFailures();
  for (const target of targets) {
    const kind = failureOf(target);
    if (kind !== undefined) counts[kind] += 1;
    if (target.health.length > 0) counts.unhealthy += 1;
  }
  return counts;
}

/** To be counted up. */
export function noFailures(): Record<FailureKind, number> {
  return Object.fromEntries(FAILURE_KINDS.map((kind) => [kind, 0])) as Record<FailureKind, number>;
}
