import type { RevertReport, WindowPlan } from './window-plan.ts';

/** Where the one window of a host stands. */
export type WindowOnDisk =
  | { readonly kind: 'none' }
  /** Armed; nobody has decided. */
  | { readonly kind: 'pending'; readonly plan: WindowPlan }
  /** The agent had the server's confirm in time, and won. */
  | { readonly kind: 'kept'; readonly plan: WindowPlan }
  /** A revert won, and is at work or was cut off at it. */
  | { readonly kind: 'reverting'; readonly plan: WindowPlan }
  | { readonly kind: 'reverted'; readonly plan: WindowPlan | undefined; readonly report: RevertReport }
  /** The files could not be looked at just now (too many open files, no memory, a disk that fails): what they hold is not known. Look again. */
  | { readonly kind: 'unreadable'; readonly reason: string }
  /** Something was read and cannot be understood: damaged, or written by a newer agent. */
  | { readonly kind: 'damaged'; readonly reason: string };

/**
 * The window on disk, shared by agent, timer and boot.
 *
 * INVARIANTS
 * - `keep` and `claim` are one rename of the same file: of any number of callers, in any order, at most one has it, and what it says stays.
 * - What a method has resolved survives a crash of agent and machine.
 * - A file that cannot be read, or not be understood, is never deleted.
 */
export interface WindowStore {
  look(): Promise<WindowOnDisk>;
  /** Opens the window. False when there is one already. */
  put(plan: WindowPlan): Promise<boolean>;
  /** For the agent that holds the server's answer. False: a revert was faster. */
  keep(): Promise<boolean>;
  /** For a revert. False: the agent was faster, or another revert, or there is no window. */
  claim(): Promise<boolean>;
  /** The revert is done. */
  report(report: RevertReport): Promise<void>;
  /** Takes the report back: the revert is to be done once more. False: there is none, or no plan to do it by. */
  reopen(): Promise<boolean>;
  /** Forgets the window. */
  clear(): Promise<void>;
  /** Moves what cannot be understood out of the way of the next window, for people to look at. The files' new names. */
  setAside(): Promise<readonly string[]>;
}
