import type { OutcomeWord, OverrideWord, VerbWord } from '@modfleet/proto';
import type { z } from 'zod';
import type { Labels } from '../access/host-scope.ts';
import type { ActionSnapshot } from './action.machine.ts';
import type { actionItemSchema, actionResultSchema, verdictSchema } from './actions.schema.ts';

export type ActionItem = z.output<typeof actionItemSchema>;
export type StoredVerdict = z.output<typeof verdictSchema>;
/** What a host reported. `earlier`: what it had reported before a late report resolved the action. */
export type StoredResult = z.output<typeof actionResultSchema> & {
  readonly earlier?: z.output<typeof actionResultSchema>;
};

/** One step that puts a host back, as a host reports it and a restore is given it. */
export interface UndoStepJson {
  readonly kind: string;
  readonly kmod: string;
  /** name=value, in given order. */
  readonly parameters: readonly string[];
}

/** One line of an action's timeline. */
export interface TimelineEntry {
  readonly at: Date;
  readonly state: ActionSnapshot['state'];
  readonly outcome: OutcomeWord | null;
  readonly note: string;
}

/** An action as it is stored. */
export interface StoredAction extends ActionSnapshot {
  readonly id: string;
  readonly hostId: string;
  readonly hostName: string;
  /** As they are now. */
  readonly hostLabels: Labels;
  /** The host's session is live on some replica. */
  readonly hostConnected: boolean;
  readonly verb: VerbWord;
  readonly kmod: string;
  /** name=value, sorted by name. */
  readonly parameters: readonly string[];
  readonly dryRun: boolean;
  readonly overrides: readonly OverrideWord[];
  /** Of a restore: what is done, in order. */
  readonly undo: readonly UndoStepJson[];
  /** Digests of the plans that it may carry out; empty: any. */
  readonly approvedPlans: readonly Uint8Array[];
  /** The rollout that it is part of. */
  readonly rolloutId: string | null;
  /** The plan that it asks a host for, or that its rollout carries out. */
  readonly planId: string | null;
  readonly reason: string | null;
  readonly requestedBy: string;
  readonly requestDigest: Uint8Array;
  /** Epoch and sequence number the command; 0: accepted before commands were signed. */
  readonly epoch: number;
  readonly sequence: number;
  readonly notBefore: Date | null;
  /** Null: not signed. */
  readonly signature: Uint8Array | null;
  /** DER; null: not signed, or not here any more. */
  readonly commandCertificate: Uint8Array | null;
  readonly createdAt: Date;
  readonly verdict: StoredVerdict | null;
  readonly result: StoredResult | null;
  /** The host's own sentence about the end. */
  readonly hostMessage: string | null;
  readonly version: number;
  readonly timeline: readonly TimelineEntry[];
}

/** An action as it is read to be changed: without what nothing is decided by. */
export type HeldAction = Omit<StoredAction, 'timeline' | 'requestedBy'>;

/** What is asked for, before it is signed and stored. */
export interface NewAction {
  readonly id: string;
  readonly hostId: string;
  readonly verb: VerbWord;
  readonly kmod: string;
  readonly parameters: readonly string[];
  readonly dryRun: boolean;
  readonly reason: string | null;
  readonly requestedBy: string;
  readonly expiresAt: Date;
  /** Seconds; 0: no confirm window. */
  readonly confirmWindowSeconds: number;
  readonly overrides: readonly OverrideWord[];
  readonly undo: readonly UndoStepJson[];
  readonly approvedPlans: readonly Uint8Array[];
  readonly rolloutId: string | null;
  readonly planId: string | null;
  readonly epoch: number;
  readonly sequence: number;
  readonly notBefore: Date;
}
