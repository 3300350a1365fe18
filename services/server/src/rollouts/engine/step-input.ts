import type { OutcomeWord } from '@modfleet/proto';
import type { HealthProblem } from './rollout.model.ts';

/** What people ask of a rollout. */
export type ControlKind = 'pause' | 'resume' | 'promote' | 'abort' | 'roll_back' | 'approve';

export interface Control {
  readonly seq: number;
  /** unproven: its row was changed outside the server. */
  readonly kind: ControlKind | 'unproven';
  readonly by: string;
  readonly reason: string | null;
}

/** How an action of a target ended, or was resolved. */
export interface Report {
  readonly hostId: string;
  /** Null: it was never accepted, since the host may not be acted on; `code` says why. */
  readonly actionId: string | null;
  readonly role: 'forward' | 'undo';
  readonly outcome: OutcomeWord;
  /** A late report about what ended as unconfirmed or stuck. */
  readonly resolves: boolean;
  /** Taken back by the rollout itself before it was sent. */
  readonly withdrawn: boolean;
  /** Taken back because who asked for it has lost the right to. */
  readonly rightLost: boolean;
  readonly code: string;
  readonly message: string;
  /** Null: the host cannot tell, or has not. */
  readonly changed: boolean | null;
}

/** What a look at a host found; null: it did not answer. */
export interface Look {
  readonly hostId: string;
  readonly problems: readonly HealthProblem[] | null;
}

/** What happened since the last step. */
export interface StepInput {
  /** ms since the epoch, by Postgres's clock. */
  readonly now: number;
  readonly controls: readonly Control[];
  readonly reports: readonly Report[];
  /** Hosts whose session is live. */
  readonly connected: ReadonlySet<string>;
  /** The fleet is frozen, or commands are stopped: nothing is dispatched. */
  readonly halted: boolean;
  /** What stands in its rows is not what was asked for: somebody changed them outside the server. */
  readonly tampered: boolean;
  readonly looks: readonly Look[];
  /** Before a host whose kmod was in use, or that was not put back, is asked again. */
  readonly retryMs: number;
}
