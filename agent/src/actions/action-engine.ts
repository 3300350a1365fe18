import type { ActionPhase, ActionRequest, ActionResult, Verdict } from '@modfleet/proto';

/** Something to tell the server while an action is under way. */
export interface ActionProgressReport {
  readonly actionId: string;
  readonly phase: ActionPhase;
  readonly verdict?: Verdict;
  /** With CONFIRM_PENDING: server time of the window's deadline, milliseconds since the epoch. */
  readonly confirmDeadlineMs?: number;
}

/** Runs actions on this host, one at a time, at most one effect per id. The session talks to it and to nothing behind it. */
export interface ActionEngine {
  /** Reads journal and tombstones, settles what a crash left open. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Takes a request; answers by progress and result. The same id again is answered from journal or tombstone. */
  submit(request: ActionRequest): void;
  cancel(actionId: string): void;
  /** The server has stored these results: they become tombstones. Resolves when that is done, which a full disk holds up. */
  acknowledge(actionIds: readonly string[]): Promise<void>;
  /** Results to send again after a reconnect. */
  unacknowledged(): readonly ActionResult[];
  openActions(): readonly string[];
  tombstonesDigest(): Uint8Array;
  /** The newest command that this host has taken, as far as it is known. */
  newestCommand?(): ActionRequest | undefined;
  onProgress(listener: (report: ActionProgressReport) => void): void;
  onResult(listener: (result: ActionResult) => void): void;
  /** Which action of ours is changing this kmod now, or did within the last seconds; for events. */
  attributionOf(kmod: string): string | undefined;
}
