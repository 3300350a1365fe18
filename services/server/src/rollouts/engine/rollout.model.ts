import type { OutcomeWord } from '@modfleet/proto';
import type { z } from 'zod';
import type { effectiveOptionsSchema, FAILURE_KINDS, rolloutStateWord, targetOutcomeWord } from '../rollouts.schema.ts';

export type RolloutState = z.output<typeof rolloutStateWord>;
export type TargetOutcome = z.output<typeof targetOutcomeWord>;
export type FailureKind = (typeof FAILURE_KINDS)[number];
export type RolloutOptions = z.output<typeof effectiveOptionsSchema>;

/** Nothing more is decided in these, but a roll back may be asked for. */
export const ENDED_STATES = ['succeeded', 'failed', 'aborted', 'rolled_back'] as const satisfies RolloutState[];

export function isEndedState(state: RolloutState): boolean {
  return (ENDED_STATES as readonly RolloutState[]).includes(state);
}

/** What was wrong with a host after its wave. */
export interface HealthProblem {
  /** A word: silent, restarted, taint, oops, warning, link, mount, loaded_again, unloaded_again. */
  readonly what: string;
  readonly detail: string;
}

/** The way back of one host. '': none was asked for. */
export interface TargetUndo {
  readonly state: '' | 'pending' | 'dispatched' | 'ended';
  readonly outcome: OutcomeWord | null;
  readonly message: string;
  readonly attempts: number;
  readonly actionId: string | null;
}

/** One host of a rollout. Times are ms since the epoch, by Postgres's clock. */
export interface Target {
  readonly hostId: string;
  /** Place in the order of the rollout, from 0. */
  readonly position: number;
  readonly wave: number;
  /** Of the plan; null: it has none, see `late`. */
  readonly planClass: number | null;
  /** Without a verdict when the plan was made: it runs when its own plan equals one that was approved. */
  readonly late: boolean;
  readonly state: 'pending' | 'dispatched' | 'ended';
  /** Why it is not sent although it is its turn. */
  readonly wait: '' | 'unreachable' | 'in_use';
  readonly outcome: TargetOutcome | null;
  /** What one late report made of unconfirmed or stuck. */
  readonly resolvedOutcome: TargetOutcome | null;
  readonly code: string;
  readonly message: string;
  readonly attempts: number;
  readonly actionId: string | null;
  /** Not sent again before. */
  readonly notBefore: number | null;
  /** Whether the host was changed, as far as it told; null: nobody can say. */
  readonly changed: boolean | null;
  readonly health: readonly HealthProblem[];
  readonly healthSeen: boolean;
  readonly undo: TargetUndo;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

export interface Wave {
  readonly number: number;
  readonly size: number;
  readonly startedAt: number | null;
  /** Nothing of it is under way or can be sent. */
  readonly doneAt: number | null;
  readonly bakeUntil: number | null;
  readonly endedAt: number | null;
}

/** What the machine remembers beside the columns. */
export interface Memory {
  /** Failures that a resume accepted, by `whole KIND` or `wave N KIND`: only more than these exceed a budget again. */
  readonly accepted: Readonly<Record<string, number>>;
  /** Where a resume leads. */
  readonly resumeTo?: 'running' | 'rolling_back';
  /** When the roll back stops to wait for hosts. */
  readonly undoUntil?: number;
  /** The control that asked for the roll back; absent: the budget did. */
  readonly undoControl?: number;
}

export interface Rollout {
  readonly id: string;
  readonly state: RolloutState;
  /** Why, where the state alone does not say; for people. */
  readonly why: string;
  readonly options: RolloutOptions;
  readonly deadline: number;
  /** The wave under way. */
  readonly wave: number;
  readonly memory: Memory;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

/** All that the machine decides on. */
export interface RolloutModel {
  readonly rollout: Rollout;
  readonly waves: readonly Wave[];
  /** By host id. */
  readonly targets: ReadonlyMap<string, Target>;
}

export const NO_UNDO: TargetUndo = { state: '', outcome: null, message: '', attempts: 0, actionId: null };

/** What counts: a late report stands in the place of what it resolved. */
export function effectiveOutcome(target: Pick<Target, 'outcome' | 'resolvedOutcome'>): TargetOutcome | null {
  return target.resolvedOutcome ?? target.outcome;
}

/** The host is as was asked for. */
export function isAsAsked(target: Target): boolean {
  const outcome = effectiveOutcome(target);
  return outcome === 'succeeded' || outcome === 'unchanged';
}

const BACK: readonly (OutcomeWord | null)[] = ['succeeded', 'unchanged'];

/** The host is as it was before the rollout. */
export function isBack({ undo }: Pick<Target, 'undo'>): boolean {
  return BACK.includes(undo.outcome);
}
