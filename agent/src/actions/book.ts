import { type ActionResult, JournalState, Outcome } from '@modfleet/proto';
import { messageOf } from '../error-words.ts';
import type { ActionLog } from './action-host.ts';
import {
  type IntentRecord,
  type Journal,
  JournalDamagedError,
  type JournalRecord,
  type JournalTail,
  JournalUnavailableError,
  type KernelDiedRecord,
} from './journal/journal.ts';
import { Ledger } from './ledger.ts';
import type { ServerTime } from './server-time.ts';

/** Records written before the file is made small again: about 1 MiB of results. */
const COMPACT_AFTER = 512;

/** What is said of each end of a journal. */
const TAIL_WORDS: Readonly<Record<JournalTail, string | undefined>> = {
  whole: undefined,
  seal: 'the last line of the action journal was cut short or damaged; it said nothing that is not elsewhere',
  record: 'the last record of the action journal was cut short; its action is not begun again',
  unreadable:
    'the end of the action journal cannot be read and was cut off; what is sent again, and is not known here, is not begun',
};

/** Journal and ledger as one: what is put in is on disk (where it must be) and known (always). */
export class Book {
  readonly #journal: Journal;
  readonly #log: ActionLog;
  #ledger = new Ledger();
  #opened = false;
  #damage: JournalDamagedError | undefined;
  #appended = 0;
  #tail: JournalTail = 'whole';
  /** The journal exists, for all that is known, and could not be read. */
  #unread = false;
  /** The ledger knows what the journal does not: a write failed. */
  #behind = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(journal: Journal, log: ActionLog) {
    this.#journal = journal;
    this.#log = log;
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  /** What is known is not all that was done: answers may be given, nothing may be begun or finished. */
  get damaged(): boolean {
    return this.#damage !== undefined;
  }

  /** All that was done is known, up to the last record: what a crash left half done may be done on. */
  get complete(): boolean {
    return !this.damaged && (this.#tail === 'whole' || this.#tail === 'seal');
  }

  /** Something was done of which nothing is known any more: what was sent before, and is not known, may be it. */
  get hasLost(): boolean {
    return this.damaged || this.#unread || this.#ledger.hasLost;
  }

  /** Something is known that is not on disk. */
  get behind(): boolean {
    return this.#behind;
  }

  get opened(): boolean {
    return this.#opened;
  }

  /** How the journal was found, for the server; unspecified while it cannot be opened. */
  get journalState(): JournalState {
    if (this.damaged) return JournalState.JOURNAL_STATE_DAMAGED;
    if (this.#ledger.hasLost) return JournalState.JOURNAL_STATE_UNREADABLE;
    if (this.#ledger.hasTorn) return JournalState.JOURNAL_STATE_RECORD_LOST;
    if (!this.#opened) return JournalState.JOURNAL_STATE_UNSPECIFIED;
    return this.#tail === 'seal' ? JournalState.JOURNAL_STATE_SEAL_LOST : JournalState.JOURNAL_STATE_WHOLE;
  }

  /** Opens the journal unless that is done. True when it was done now: actions may have been found open. */
  async ensureOpen(): Promise<boolean> {
    if (this.#opened || this.#damage !== undefined) return false;
    try {
      const contents = await this.#journal.open();
      // What ended while there was no journal is known, and stays known.
      const unwritten = this.#ledger.records();
      this.#ledger = new Ledger([...contents.records, ...unwritten]);
      this.#opened = true;
      this.#unread = false;
      this.#behind = unwritten.length > 0;
      this.#tail = contents.tail;
      const words = TAIL_WORDS[contents.tail];
      if (words !== undefined) this.#log.warn({ journal: this.#journal.place }, words);
      return true;
    } catch (error) {
      this.#log.error({ journal: this.#journal.place, err: error }, messageOf(error));
      if (error instanceof JournalDamagedError) {
        this.#damage = error;
        this.#ledger = new Ledger([...error.salvaged, ...this.#ledger.records()]);
        return true;
      }
      const known = error instanceof JournalUnavailableError ? error.known?.records : undefined;
      this.#unread = known === undefined;
      this.#ledger = new Ledger([...(known ?? []), ...this.#ledger.records()]);
      return false;
    }
  }

  /** The intent is on disk when this resolves. @throws JournalUnavailableError, JournalDamagedError */
  async putIntent(record: IntentRecord): Promise<void> {
    await this.#promise(record);
  }

  /** Notes that a further step is about to begin. The intent already covers a crash, so a full disk does not stop a plan half way. */
  async putStep(id: string, index: number): Promise<void> {
    await this.#keep({ kind: 'step', id, index });
  }

  /** The result is known when this resolves. True: it is on disk too. */
  async putResult(result: ActionResult, digest: string, expiresAtMs: number): Promise<boolean> {
    return this.#keep({ kind: 'result', id: result.actionId, digest, expiresAtMs, result });
  }

  /** Writes what could not be written before. True: everything that is known is on disk. */
  async catchUp(): Promise<boolean> {
    if (!this.#behind) return true;
    await this.#inTurn(() => this.#compact());
    return !this.#behind;
  }

  /** Whoever sends this id later finds it cancelled. @throws JournalUnavailableError, JournalDamagedError */
  async putCancelledUnseen(id: string, expiresAtMs: number): Promise<void> {
    const record: JournalRecord = {
      kind: 'tombstone',
      id,
      digest: '',
      outcome: Outcome.OUTCOME_CANCELLED,
      expiresAtMs,
    };
    await this.#promise(record);
  }

  async putDied(record: KernelDiedRecord): Promise<void> {
    await this.#keep(record);
  }

  /**
   * The server has these results. Only when they are on disk (`catchUp`): one that is forgotten and was never written leaves its action open, and the
   * next start would do its work once more.
   */
  async acknowledge(ids: readonly string[], now: ServerTime): Promise<void> {
    for (const id of ids) {
      const record = this.#ledger.resultOf(id);
      if (record === undefined) continue;
      const { digest, expiresAtMs, result } = record;
      await this.#keep({ kind: 'tombstone', id, digest, outcome: result.outcome, expiresAtMs });
    }
    const purged = this.#ledger.purge(now);
    if (purged > 0 || this.#appended >= COMPACT_AFTER) await this.#inTurn(() => this.#compact());
  }

  /** Whether there is room for one more action, after forgetting what may be forgotten. */
  hasRoom(now: ServerTime): boolean {
    this.#ledger.purge(now);
    return !this.#ledger.isFull();
  }

  async close(): Promise<void> {
    await this.#journal.close();
    this.#opened = false;
  }

  /** On disk, with all that was known before, when this resolves. */
  #promise(record: JournalRecord): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#damage !== undefined) throw this.#damage;
      if (this.#behind) await this.#rewrite();
      await this.#append(record);
      this.#ledger.add(record);
    });
  }

  /** True: it is on disk. */
  async #keep(record: JournalRecord): Promise<boolean> {
    this.#ledger.add(record);
    if (this.#damage !== undefined) return false;
    try {
      await this.#inTurn(() => this.#append(record));
      return true;
    } catch (error) {
      this.#behind = true;
      this.#log.error({ actionId: record.id, record: record.kind, err: error }, messageOf(error));
      return false;
    }
  }

  /** One after the other: a rewrite that was begun while an intent is on its way to the disk would leave it out, and take its place. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #append(record: JournalRecord): Promise<void> {
    await this.#journal.append(record);
    this.#appended += 1;
  }

  async #compact(): Promise<void> {
    if (!this.#opened || this.#damage !== undefined) return;
    try {
      await this.#rewrite();
    } catch (error) {
      this.#log.error({ err: error }, messageOf(error));
    }
  }

  async #rewrite(): Promise<void> {
    await this.#journal.rewrite(this.#ledger.records());
    this.#appended = 0;
    this.#behind = false;
  }
}
