import type { OverrideWord } from '@modfleet/proto';
import type { z } from 'zod';
import type { StoredVerdict } from '../../actions/action.model.ts';
import type {
  createPlanBody,
  planClassSchema,
  planItemSchema,
  planRefusalSchema,
  planStateWord,
  planTargetQuery,
  planTargetSchema,
  rolloutVerb,
  standingWord,
} from './plan.schema.ts';

export type CreatePlan = z.output<typeof createPlanBody>;
export type PlanTargetFilter = Pick<z.output<typeof planTargetQuery>, 'standing' | 'code' | 'class'>;
export type PlanItem = z.output<typeof planItemSchema>;
export type PlanTargetItem = z.output<typeof planTargetSchema>;
export type PlanClass = z.output<typeof planClassSchema>;
export type PlanRefusal = z.output<typeof planRefusalSchema>;
export type PlanUnknown = PlanItem['unknowns'][number];
export type PlanCounts = PlanItem['counts'];
export type Standing = z.output<typeof standingWord>;
export type RolloutVerb = z.output<typeof rolloutVerb>;

/** What a plan asks of its hosts. */
export interface PlanQuestion {
  readonly verb: RolloutVerb;
  readonly kmod: string;
  /** name=value, sorted by name. */
  readonly parameters: readonly string[];
  /** Seconds; 0: no confirm window. */
  readonly confirmWindowSeconds: number;
  readonly overrides: readonly OverrideWord[];
  /** As given; null when hosts were named, "" for all hosts. */
  readonly selector: string | null;
}

/** Hosts of a plan, put together. */
export interface PlanGroups {
  /** Each at the place of its number. */
  readonly classes: readonly PlanClass[];
  readonly refusals: readonly PlanRefusal[];
  readonly unknowns: readonly PlanUnknown[];
}

/** A plan as it is stored. */
export interface StoredPlan extends PlanQuestion, PlanGroups {
  readonly id: string;
  readonly state: z.output<typeof planStateWord>;
  readonly reason: string | null;
  readonly requestedBy: string;
  readonly createdAt: Date;
  readonly answersUntil: Date;
  readonly readyAt: Date | null;
  readonly expiresAt: Date;
  /** Of hosts in the scope that it was read in. */
  readonly unknownInSelector: number;
  /** SHA-256; null before it is ready. */
  readonly hash: Buffer | null;
}

/** What a host's answer, or the want of one, means for the plan. */
export interface Judged {
  readonly standing: Standing;
  /** What decided; empty when it would be done. */
  readonly code: string;
  /** For people. */
  readonly message: string;
}

/** A host when the plan is made. */
export interface PlanHost {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly kernelRelease: string;
  /** As its facts say it: kvm, docker, …; empty: it told none. */
  readonly virtualization: string;
  readonly retired: boolean;
  readonly revoked: boolean;
  /** Null: it is not quarantined. */
  readonly quarantineReason: string | null;
  readonly live: boolean;
  /** Null: it never connected. */
  readonly seenAt: Date | null;
}

/** A target as it is stored first. */
export interface NewTarget {
  readonly hostId: string;
  readonly actionId: string | null;
  /** Null: it is asked. */
  readonly judged: Judged | null;
  readonly kernelRelease: string;
  readonly hardware: string;
}

/** A dry run that has ended. */
export interface DryRunEnd {
  readonly outcome: string;
  readonly verdict: StoredVerdict | null;
  /** Of a result without a verdict. */
  readonly reasonCode: string;
  /** The host's own sentence. */
  readonly message: string;
}
