import type { z } from 'zod';
import { toRecord } from '../actions/action.view.ts';
import { type Counted, KIND_OF_OUTCOME, linesOf, noFailures } from './engine/budget.ts';
import { rolloutOptionsOf } from './engine/options.ts';
import { isEndedState, type FailureKind, type RolloutOptions } from './engine/rollout.model.ts';
import type { WaveRow } from './engine/rollout.rows.ts';
import { describeRollout } from './rollout.message.ts';
import type { CountRow, FailureRow, ShownRow, ShownTargetRow, SummaryRow } from './rollout-view.queries.ts';
import { rolloutVerbOf } from './rollout-verb.ts';
import type {
  rolloutCountsSchema,
  rolloutItemSchema,
  rolloutSummarySchema,
  rolloutTargetSchema,
  rolloutWaveSchema,
} from './rollouts.schema.ts';

export type RolloutItem = z.output<typeof rolloutItemSchema>;
type Counts = z.output<typeof rolloutCountsSchema>;
type ShownWave = z.output<typeof rolloutWaveSchema>;

/** Everything that a rollout's item is made of, read at one moment. */
export interface Shown {
  readonly row: ShownRow;
  readonly waves: readonly WaveRow[];
  readonly counts: readonly CountRow[];
  readonly failures: readonly FailureRow[];
}

/** A rollout as the API shows it. Counts are sums of the same rows: of a wave, of all, of a budget. */
export function toRolloutItem({ row, waves, counts, failures }: Shown): RolloutItem {
  const options = rolloutOptionsOf(row.options);
  const total = countsOf(counts);
  const verb = rolloutVerbOf(row.verb);
  const rollback = rollbackOf(row, counts);
  const canReturn = sum(counts.filter(({ can_return: can }) => can));
  return {
    id: row.id,
    plan: row.plan_id,
    parent: row.parent_id,
    state: row.state,
    message: describeRollout({ row, verb, counts: total, canReturn, rollback }),
    verb,
    kmod: row.kmod,
    parameters: toRecord(row.parameters),
    confirmWindow: row.confirm_window_s === 0 ? null : row.confirm_window_s,
    selector: row.selector,
    reason: row.reason,
    requestedBy: row.requested_by,
    createdAt: row.created_at.toISOString(),
    startedAt: iso(row.started_at),
    endedAt: iso(row.ended_at),
    deadlineAt: row.deadline.toISOString(),
    options,
    hash: row.hash.toString('hex'),
    approval:
      row.approved_by === null || row.approved_at === null
        ? null
        : { by: row.approved_by, at: row.approved_at.toISOString() },
    wave: row.wave,
    waves: waves.map((wave) => toWave(wave, row, counts, options)),
    counts: total,
    failures: failures.flatMap(toFailure),
    budget: linesOf({ ...row, options }, counted(counts), counted(counts.filter(({ wave }) => wave === row.wave))),
    canReturn,
    rollback,
    version: row.version,
  };
}

function toWave(wave: WaveRow, row: ShownRow, counts: readonly CountRow[], { canary }: RolloutOptions): ShownWave {
  return {
    wave: wave.number,
    canary: canary && wave.number === 0,
    state: waveState(wave, row),
    counts: countsOf(counts.filter((one) => one.wave === wave.number)),
    startedAt: iso(wave.started_at),
    bakeUntil: iso(wave.bake_until),
    endedAt: iso(wave.ended_at),
  };
}

/** A rollout that is over, or goes back, has no wave under way. */
function waveState(wave: WaveRow, { state }: ShownRow): ShownWave['state'] {
  const isOver = isEndedState(state) || state === 'rolling_back';
  if (wave.started_at === null) return isOver ? 'not_run' : 'pending';
  if (wave.ended_at !== null || isOver) return 'ended';
  return wave.done_at === null ? 'running' : 'baking';
}

function countsOf(rows: readonly CountRow[]): Counts {
  const ended: Counts['ended'] = {};
  for (const { outcome, hosts } of rows) if (outcome !== null) ended[outcome] = (ended[outcome] ?? 0) + hosts;
  const inState = (...states: CountRow['state'][]) => sum(rows.filter(({ state }) => states.includes(state)));
  return {
    total: sum(rows),
    pending: inState('pending'),
    waiting: inState('waiting'),
    dispatched: inState('dispatched', 'running'),
    ended,
    unhealthy: sum(rows.filter(({ unhealthy }) => unhealthy)),
  };
}

/** Rows that are counted already, as a budget takes them. */
function counted(rows: readonly CountRow[]): Counted {
  const failures = noFailures();
  for (const row of rows) {
    const kind = failureOf(row);
    if (kind !== undefined) failures[kind] += row.hosts;
    if (row.unhealthy) failures.unhealthy += row.hosts;
  }
  return { hosts: sum(rows), failures };
}

/** What engine/budget.ts says of a target. */
function failureOf({ outcome, wait, planned }: CountRow): FailureKind | undefined {
  if (outcome === null) return wait === 'unreachable' ? 'unreachable' : undefined;
  return planned ? undefined : KIND_OF_OUTCOME[outcome];
}

function rollbackOf(row: ShownRow, counts: readonly CountRow[]): RolloutItem['rollback'] {
  if (row.memory.undoUntil === undefined) return null;
  const of = (undo: CountRow['undo']) => sum(counts.filter((one) => one.undo === undo));
  return {
    total: sum(counts.filter(({ undo }) => undo !== 'none')),
    pending: of('pending'),
    dispatched: of('dispatched'),
    restored: of('restored'),
    failed: of('failed'),
    unknown: sum(counts.filter(({ unknown, outcome }) => unknown && outcome !== 'not_run')),
  };
}

function toFailure({ outcome, ...rest }: FailureRow): RolloutItem['failures'] {
  const kind = outcome === 'unhealthy' ? 'unhealthy' : KIND_OF_OUTCOME[outcome];
  return kind === undefined ? [] : [{ kind, ...rest }];
}

export function toSummary(row: SummaryRow): z.output<typeof rolloutSummarySchema> {
  return {
    id: row.id,
    state: row.state,
    verb: rolloutVerbOf(row.verb),
    kmod: row.kmod,
    selector: row.selector,
    requestedBy: row.requested_by,
    createdAt: row.created_at.toISOString(),
    endedAt: iso(row.ended_at),
    hosts: row.hosts,
    ended: row.ended,
    asAsked: row.as_asked,
  };
}

export function toTarget(row: ShownTargetRow): z.output<typeof rolloutTargetSchema> {
  return {
    host: { id: row.host_id, name: row.name },
    wave: row.wave,
    state: row.state,
    wait: row.wait === '' ? null : row.wait,
    outcome: row.outcome,
    resolvedOutcome: row.resolved,
    late: row.late,
    code: row.code,
    message: row.message,
    evidence: row.evidence ?? [],
    attempts: row.attempts,
    action: row.action_id,
    health: row.health,
    healthSeen: row.health_seen,
    rollback:
      row.undo_state === ''
        ? null
        : {
            state: row.undo_state,
            outcome: row.undo_outcome,
            message: row.undo_message,
            action: row.undo_action_id,
          },
    startedAt: iso(row.started_at),
    endedAt: iso(row.ended_at),
  };
}

/** Nothing more will be told of it, unless somebody asks for a roll back. */
export function isOverItem({ state, endedAt }: Pick<RolloutItem, 'state' | 'endedAt'>): boolean {
  return isEndedState(state) && endedAt !== null;
}

function sum(rows: readonly { readonly hosts: number }[]): number {
  return rows.reduce((total, { hosts }) => total + hosts, 0);
}

function iso(time: Date | null): string | null {
  return time?.toISOString() ?? null;
}
