import { decodeJournal, encodeAppend, encodeJournal } from './journal-codec.ts';
import { type Journal, type JournalContents, type JournalRecord, JournalUnavailableError } from './journal.ts';

/** A journal without a disk. It keeps text, so that what a reader gets has gone through the same encoding as on a disk. */
export class MemoryJournal implements Journal {
  readonly place = 'in memory';
  text = '';
  /** No write gets through. */
  isFull = false;

  constructor(text = '') {
    this.text = text;
  }

  async open(): Promise<JournalContents> {
    const contents = decodeJournal(this.text, this.place);
    this.text = encodeJournal(contents.records);
    return contents;
  }

  async append(record: JournalRecord): Promise<void> {
    this.#needRoom();
    this.text += encodeAppend(record);
  }

  async rewrite(records: readonly JournalRecord[]): Promise<void> {
    this.#needRoom();
    this.text = encodeJournal(records);
  }

  async close(): Promise<void> {}

  #needRoom(): void {
    if (this.isFull) throw new JournalUnavailableError(this.place, 'ENOSPC: no space left on device');
  }
}

/** Opens, and then fails every write, as on a full disk. */
export class FailingJournal implements Journal {
  readonly place = 'nowhere';
  readonly reason: string;

  constructor(reason = 'ENOSPC: no space left on device') {
    this.reason = reason;
  }

  async open(): Promise<JournalContents> {
    return { records: [], tail: 'whole', old: false };
  }

  async append(): Promise<void> {
    throw new JournalUnavailableError(this.place, this.reason);
  }

  async rewrite(): Promise<void> {
    throw new JournalUnavailableError(this.place, this.reason);
  }

  async close(): Promise<void> {}
}
