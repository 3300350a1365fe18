import type { OutcomeWord } from '@modfleet/proto';
import { rolloutOptionsOf } from './options.ts';
import type {
  HealthProblem,
  Memory,
  Rollout,
  RolloutModel,
  RolloutState,
  Target,
  TargetOutcome,
  TargetUndo,
  Wave,
} from './rollout.model.ts';

/** Columns of `rollout` that the machine decides on. */
export interface RolloutRow {
  readonly id: string;
  readonly state: RolloutState;
  readonly state_why: string;
  readonly options: unknown;
  readonly deadline: Date;
  readonly wave: number;
  readonly memory: Memory;
  readonly started_at: Date | null;
  readonly ended_at: Date | null;
}

export interface WaveRow {
  readonly number: number;
  readonly size: number;
  readonly started_at: Date | null;
  readonly done_at: Date | null;
  readonly bake_until: Date | null;
  readonly ended_at: Date | null;
}

export interface TargetRow {
  readonly host_id: string;
  readonly position: number;
  readonly wave: number;
  readonly class: number | null;
  readonly late: boolean;
  readonly state: Target['state'];
  readonly wait: Target['wait'];
  readonly outcome: TargetOutcome | null;
  readonly resolved_outcome: TargetOutcome | null;
  readonly code: string;
  readonly message: string;
  readonly attempts: number;
  readonly action_id: string | null;
  readonly not_before: Date | null;
  readonly changed: boolean | null;
  readonly health: readonly HealthProblem[];
  readonly health_seen: boolean;
  readonly undo_state: TargetUndo['state'];
  readonly undo_outcome: OutcomeWord | null;
  readonly undo_message: string;
  readonly undo_attempts: number;
  readonly undo_action_id: string | null;
  readonly started_at: Date | null;
  readonly ended_at: Date | null;
}

/** The model that a watcher begins with: rows say all of it. */
export function modelOf(rollout: RolloutRow, waves: readonly WaveRow[], targets: readonly TargetRow[]): RolloutModel {
  return {
    rollout: rolloutOf(rollout),
    waves: waves.map(waveOf).sort((one, other) => one.number - other.number),
    targets: new Map(targets.map((row) => [row.host_id, targetOf(row)])),
  };
}

export function rolloutOf(row: RolloutRow): Rollout {
  return {
    id: row.id,
    state: row.state,
    why: row.state_why,
    options: rolloutOptionsOf(row.options),
    deadline: row.deadline.getTime(),
    wave: row.wave,
    memory: row.memory,
    startedAt: time(row.started_at),
    endedAt: time(row.ended_at),
  };
}

export function waveOf(row: WaveRow): Wave {
  return {
    number: row.number,
    size: row.size,
    startedAt: time(row.started_at),
    doneAt: time(row.done_at),
    bakeUntil: time(row.bake_until),
    endedAt: time(row.ended_at),
  };
}

export function targetOf(row: TargetRow): Target {
  return {
    hostId: row.host_id,
    position: row.position,
    wave: row.wave,
    planClass: row.class,
    late: row.late,
    state: row.state,
    wait: row.wait,
    outcome: row.outcome,
    resolvedOutcome: row.resolved_outcome,
    code: row.code,
    message: row.message,
    attempts: row.attempts,
    actionId: row.action_id,
    notBefore: time(row.not_before),
    changed: row.changed,
    health: row.health,
    healthSeen: row.health_seen,
    undo: {
      state: row.undo_state,
      outcome: row.undo_outcome,
      message: row.undo_message,
      attempts: row.undo_attempts,
      actionId: row.undo_action_id,
    },
    startedAt: time(row.started_at),
    endedAt: time(row.ended_at),
  };
}

export function rowOf(target: Target): TargetRow {
  const { undo } = target;
  return {
    host_id: target.hostId,
    position: target.position,
    wave: target.wave,
    class: target.planClass,
    late: target.late,
    state: target.state,
    wait: target.wait,
    outcome: target.outcome,
    resolved_outcome: target.resolvedOutcome,
    code: target.code,
    message: target.message,
    attempts: target.attempts,
    action_id: target.actionId,
    not_before: date(target.notBefore),
    changed: target.changed,
    health: target.health,
    health_seen: target.healthSeen,
    undo_state: undo.state,
    undo_outcome: undo.outcome,
    undo_message: undo.message,
    undo_attempts: undo.attempts,
    undo_action_id: undo.actionId,
    started_at: date(target.startedAt),
    ended_at: date(target.endedAt),
  };
}

export function waveRowOf(wave: Wave): WaveRow {
  return {
    number: wave.number,
    size: wave.size,
    started_at: date(wave.startedAt),
    done_at: date(wave.doneAt),
    bake_until: date(wave.bakeUntil),
    ended_at: date(wave.endedAt),
  };
}

export function date(at: number | null): Date | null {
  return at === null ? null : new Date(at);
}

function time(at: Date | null): number | null {
  return at === null ? null : at.getTime();
}
