import type { ConfirmReport, FindingCode } from '@modfleet/proto';

/** A window to open. */
export interface WindowOrder {
  readonly actionId: string;
  /** The kmod of the action, and all that its plan touches. */
  readonly kmod: string;
  readonly kmods: readonly string[];
  readonly windowSeconds: number;
}

/** An open window, or why there is none. */
export type WindowOpening =
  | { readonly kind: 'opened'; readonly deadlineServerMs: number }
  | { readonly kind: 'failed'; readonly code: 'unsupported' | 'busy' | 'unjournalled'; readonly message: string };

/**
 * Confirm windows, as the engine sees them: one at a time a host. From `open` on the host reverts by itself at the deadline, also without this
 * process; only `ask` can prevent that, and only with the server's answer.
 */
export interface ConfirmWindows {
  /** Why no window can be given on this host now; undefined when one can. Touches nothing. */
  obstacle(): Promise<{ readonly code: FindingCode; readonly message: string } | undefined>;
  /** Snapshot and plan are on disk, synced, and the timer outside this process is armed when this says `opened`. Never throws. */
  open(order: WindowOrder): Promise<WindowOpening>;
  /** A load half is done: brings back what came along with the kmod and did not come by itself. */
  putBack(actionId: string): Promise<readonly string[]>;
  /** Asks for the confirm until the deadline and settles the window. Rejects only when `signal` aborts: then the timer decides. */
  ask(actionId: string, signal: AbortSignal): Promise<ConfirmReport>;
  /** A step failed: reverts now. */
  giveUp(actionId: string, signal: AbortSignal): Promise<ConfirmReport>;
  /**
   * A routine that hung has returned after its window was reverted, so that what the revert found was not the last of it: reverts once more.
   */
  again(actionId: string, signal: AbortSignal): Promise<ConfirmReport>;
  /** After a crash: what became of the window, reverting now what is still open. Undefined: there is no window of this action. */
  afterCrash(actionId: string, signal: AbortSignal): Promise<ConfirmReport | undefined>;
  /** Forgets what is left of windows whose actions have ended and are not stuck, reverting what is still open. After all open actions were settled. */
  tidy(signal: AbortSignal): Promise<void>;
  /** The end is journalled: the timer is disarmed and the window forgotten. */
  close(actionId: string): Promise<void>;
}
