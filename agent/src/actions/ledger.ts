import { createHash } from 'node:crypto';
import { type ActionResult, Outcome, isResolvable } from '@modfleet/proto';
import {
  type IntentRecord,
  type JournalRecord,
  LOST_ID,
  type ResultRecord,
  type StepRecord,
  type TombstoneRecord,
} from './journal/journal.ts';
import { plainResult } from './plain-result.ts';
import { hasPassed, type ServerTime } from './server-time.ts';

/** How long after its expiry an id is still answered from its tombstone: no server sends it again after that. */
export const TOMBSTONE_KEEP_MS = 24 * 60 * 60 * 1000;

/** Results and tombstones together; when full, new actions are refused rather than an old id forgotten. */
export const LEDGER_MAX_ENTRIES = 4_096;

/** An action whose intent is on disk and whose end is not. */
export interface OpenAction {
  readonly intent: IntentRecord;
  /** The last step that was begun, from 0. */
  readonly lastStep: number;
}

/** What is known of an id. */
export type Known =
  | { readonly kind: 'new' }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'open' }
  /** Something was written of it, and is lost. */
  | { readonly kind: 'torn' }
  | { readonly kind: 'answered'; readonly result: ActionResult };

/**
 * What this host has done, by action id: the journal's records, replayed. Pure state; the engine writes to disk what it puts in here.
 *
 * INVARIANTS
 * - An id that was ever begun is known until its expiry + 24 h, so it is never begun twice.
 * - A result stays until the server has it.
 */
export class Ledger {
  readonly #open = new Map<string, OpenAction>();
  readonly #results = new Map<string, ResultRecord>();
  readonly #tombstones = new Map<string, TombstoneRecord>();
  /** Actions that ended stuck: kept to see how they end after all. */
  readonly #stuck = new Map<string, OpenAction>();
  readonly #torn = new Set<string>();
  #died: { readonly id: string; readonly bootId: string; readonly detail: string } | undefined;

  constructor(records: readonly JournalRecord[] = []) {
    for (const record of records) this.add(record);
  }

  add(record: JournalRecord): void {
    switch (record.kind) {
      case 'intent':
        this.#open.set(record.id, { intent: record, lastStep: 0 });
        break;
      case 'step':
        this.#addStep(record);
        break;
      case 'result':
        this.#addResult(record);
        break;
      case 'tombstone':
        this.#results.delete(record.id);
        this.#torn.delete(record.id);
        this.#tombstones.set(record.id, record);
        break;
      case 'torn':
        if (this.look(record.id, '').kind === 'new') this.#torn.add(record.id);
        break;
      case 'kernel_died':
        this.#died = { id: record.id, bootId: record.bootId, detail: record.detail };
        break;
    }
  }

  /** What is known of this id and digest (hex). */
  look(id: string, digest: string): Known {
    const open = this.#open.get(id);
    if (open !== undefined) return open.intent.digest === digest ? { kind: 'open' } : { kind: 'conflict' };
    const result = this.#results.get(id);
    if (result !== undefined)
      return result.digest === digest ? { kind: 'answered', result: result.result } : { kind: 'conflict' };
    const tombstone = this.#tombstones.get(id);
    if (tombstone === undefined) return { kind: this.#torn.has(id) ? 'torn' : 'new' };
    if (tombstone.digest !== '' && tombstone.digest !== digest) return { kind: 'conflict' };
    return { kind: 'answered', result: resultOfTombstone(tombstone, digest) };
  }

  /** Whether no further action may begin. */
  isFull(): boolean {
    return this.#open.size + this.#results.size + this.#tombstones.size >= LEDGER_MAX_ENTRIES;
  }

  openActions(): readonly OpenAction[] {
    return [...this.#open.values()];
  }

  stuckActions(): readonly OpenAction[] {
    return [...this.#stuck.values()];
  }

  unacknowledged(): readonly ActionResult[] {
    return [...this.#results.values()].map((record) => record.result);
  }

  resultOf(id: string): ResultRecord | undefined {
    return this.#results.get(id);
  }

  hasTombstone(id: string): boolean {
    return this.#tombstones.has(id);
  }

  /** Something was written that nobody can read any more, not even whose it was. */
  get hasLost(): boolean {
    return this.#torn.has(LOST_ID);
  }

  /** A record of some action was cut short, and that action is not begun again. */
  get hasTorn(): boolean {
    return this.#torn.size > 0;
  }

  /** Why nothing may be done in this boot: a step of ours left the kernel half dead. */
  diedIn(bootId: string): string | undefined {
    return this.#died?.bootId === bootId ? this.#died.detail : undefined;
  }

  /** Forgets tombstones past their time. Returns how many. */
  purge(now: ServerTime): number {
    if (now === undefined) return 0;
    const old = [...this.#tombstones.values()].filter((tombstone) =>
      hasPassed(now, tombstone.expiresAtMs + TOMBSTONE_KEEP_MS),
    );
    for (const tombstone of old) this.#tombstones.delete(tombstone.id);
    return old.length;
  }

  /** SHA-256 over the sorted tombstones, `id digest outcome` a line. */
  tombstonesDigest(): Uint8Array {
    const lines = [...this.#tombstones.values()].map((one) => `${one.id} ${one.digest} ${one.outcome}\n`).sort();
    return createHash('sha256').update(lines.join('')).digest();
  }

  /** The fewest records that say all this. */
  records(): JournalRecord[] {
    const open = [...this.#open.values()].flatMap(begunRecords);
    const died: JournalRecord[] = this.#died === undefined ? [] : [{ kind: 'kernel_died', ...this.#died }];
    const torn = [...this.#torn].map((id): JournalRecord => ({ kind: 'torn', id }));
    return [
      ...died,
      ...[...this.#stuck.values()].flatMap(begunRecords),
      ...this.#stuckEnds(),
      ...this.#results.values(),
      ...this.#tombstones.values(),
      ...open,
      ...torn,
    ];
  }

  /** An intent that is written for a stuck action needs its end beside it, or it would read as open. */
  #stuckEnds(): JournalRecord[] {
    return [...this.#stuck.values()]
      .filter(({ intent }) => !this.#results.has(intent.id))
      .map(({ intent }) => stuckEnd(intent));
  }

  #addStep(record: StepRecord): void {
    const open = this.#open.get(record.id);
    if (open !== undefined) this.#open.set(record.id, { ...open, lastStep: Math.max(open.lastStep, record.index) });
  }

  #addResult(record: ResultRecord): void {
    const begun = this.#open.get(record.id) ?? this.#stuck.get(record.id);
    this.#open.delete(record.id);
    this.#stuck.delete(record.id);
    this.#tombstones.delete(record.id);
    this.#torn.delete(record.id);
    this.#results.set(record.id, record);
    if (begun !== undefined && isResolvable(record.result.outcome)) this.#stuck.set(record.id, begun);
  }
}

function begunRecords({ intent, lastStep }: OpenAction): JournalRecord[] {
  return lastStep === 0 ? [intent] : [intent, { kind: 'step', id: intent.id, index: lastStep }];
}

function stuckEnd(intent: IntentRecord): ResultRecord {
  const result = resultOfTombstone(
    { kind: 'tombstone', id: intent.id, digest: intent.digest, outcome: Outcome.OUTCOME_STUCK, expiresAtMs: 0 },
    intent.digest,
  );
  return { kind: 'result', id: intent.id, digest: intent.digest, expiresAtMs: intent.request.expiresAtMs, result };
}

/** The answer for an id whose result the server already had. */
function resultOfTombstone(tombstone: TombstoneRecord, digest: string): ActionResult {
  const message =
    tombstone.digest === ''
      ? 'cancelled before it was seen; nothing was touched'
      : 'already reported and acknowledged; nothing was done again';
  return plainResult({ actionId: tombstone.id, dryRun: false }, digest, tombstone.outcome, '', message);
}
