import type { ActionRequest, ActionResult, Outcome, Verdict } from '@modfleet/proto';
import type { HostRecord } from '../undo/host-record.ts';

/** Version of the records below. A reader refuses what it does not know; a new version reads all older ones. */
export const JOURNAL_FORMAT = 2;

/** The first step of this action is about to begin. Synced before it does. */
export interface IntentRecord {
  readonly kind: 'intent';
  readonly id: string;
  /** SHA-256 over the request's canonical bytes, hex. */
  readonly digest: string;
  readonly request: ActionRequest;
  readonly verdict: Verdict;
  /** /proc/sys/kernel/random/boot_id when it was written; empty where it cannot be read. */
  readonly bootId: string;
  /** Server time, ms since the epoch. */
  readonly startedAtMs: number;
  /** Boot time, ms; means something in the same boot only. */
  readonly startedBootMs: number;
  /** /proc/sys/kernel/tainted before the first step. */
  readonly taintBefore: number | undefined;
  /** How the host stood before the first step: what an undo is computed from. Undefined of an older agent. */
  readonly before?: HostRecord | undefined;
}

/** Step `index` (from 1; the first is covered by the intent) is about to begin. */
export interface StepRecord {
  readonly kind: 'step';
  readonly id: string;
  readonly index: number;
}

/** How it ended; kept until the server has it. */
export interface ResultRecord {
  readonly kind: 'result';
  readonly id: string;
  readonly digest: string;
  /** Server time, ms since the epoch. */
  readonly expiresAtMs: number;
  readonly result: ActionResult;
}

/** The server has the result; what is left is enough to answer the same id again. */
export interface TombstoneRecord {
  readonly kind: 'tombstone';
  readonly id: string;
  /** Empty when the id was cancelled before its request was ever seen. */
  readonly digest: string;
  readonly outcome: Outcome;
  /** Server time, ms since the epoch. */
  readonly expiresAtMs: number;
}

/** A step left the kernel half dead: nothing more on this host until it has rebooted. */
export interface KernelDiedRecord {
  readonly kind: 'kernel_died';
  readonly id: string;
  readonly bootId: string;
  readonly detail: string;
}

/**
 * A record of this action was cut short or damaged, and nothing else is known of it. After a crash that means: not begun. But a disk may have
 * lost what it promised to keep, so the action is never begun again. With the id LOST_ID: not even whose it was is known.
 */
export interface TornRecord {
  readonly kind: 'torn';
  readonly id: string;
}

/** The id of a record of which nothing is known. No action id looks so. */
export const LOST_ID = '?';

export type JournalRecord = IntentRecord | StepRecord | ResultRecord | TombstoneRecord | KernelDiedRecord | TornRecord;

/**
 * How a journal ends. `seal`: the last record is there, and only its seal is not: nothing is lost. `record`: a last record was cut short; a `torn`
 * record says whose it was. `unreadable`: something was cut short, and not even its action id can be read.
 */
export type JournalTail = 'whole' | 'seal' | 'record' | 'unreadable';

/** What a journal held when it was opened. */
export interface JournalContents {
  /** With a `torn` record at the end for a last record that was cut short. */
  readonly records: readonly JournalRecord[];
  readonly tail: JournalTail;
  /** Written in an older format: to be rewritten before anything is added. */
  readonly old: boolean;
}

/**
 * Local state of the action engine.
 *
 * `append` resolves only when the record is on disk; a record that failed is not there, not even in part.
 */
export interface Journal {
  /** For messages. */
  readonly place: string;
  /** @throws JournalDamagedError, JournalUnavailableError */
  open(): Promise<JournalContents>;
  /** @throws JournalUnavailableError */
  append(record: JournalRecord): Promise<void>;
  /** Replaces everything in one go: all or nothing, also in a crash. @throws JournalUnavailableError */
  rewrite(records: readonly JournalRecord[]): Promise<void>;
  close(): Promise<void>;
}

/** The journal cannot be written or read now: disk full, read-only, no permission. Nothing may begin. */
export class JournalUnavailableError extends Error {
  readonly code = 'unjournalled';
  readonly place: string;
  /** What it holds, where it can be read and not written: good for answering, not for acting. */
  readonly known: JournalContents | undefined;
  constructor(place: string, reason: string, cause?: unknown, known?: JournalContents) {
    super(`the action journal ${place} cannot be written: ${reason}; nothing was touched`, { cause });
    this.name = 'JournalUnavailableError';
    this.place = place;
    this.known = known;
  }
}

/** Records in the middle of the journal are not as they were written: what this host has done is no longer known. */
export class JournalDamagedError extends Error {
  readonly code = 'journal_damaged';
  readonly place: string;
  /** From 1. */
  readonly line: number;
  /** The records that are as they were written, and `torn` ones for the others: good for answering, not for acting. */
  readonly salvaged: readonly JournalRecord[];
  constructor(place: string, line: number, reason: string, salvaged: readonly JournalRecord[] = []) {
    super(
      `the action journal ${place} is damaged at line ${line} (${reason}): which actions already ran is unknown, so none is begun. ` +
        `Look at it, move it away, and restart the agent`,
    );
    this.name = 'JournalDamagedError';
    this.place = place;
    this.line = line;
    this.salvaged = salvaged;
  }
}
