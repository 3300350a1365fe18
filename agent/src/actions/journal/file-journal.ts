import path from 'node:path';
import { messageOf } from '../../error-words.ts';
import { type Disk, type DiskFile, hostDisk } from './disk.ts';
import { decodeJournal, encodeAppend, encodeJournal } from './journal-codec.ts';
import {
  type Journal,
  type JournalContents,
  JournalDamagedError,
  type JournalRecord,
  JournalUnavailableError,
} from './journal.ts';

/** Far above what 4,096 tombstones and their results take; a longer file is damage. */
const MAX_BYTES = 256 * 1024 * 1024;

/**
 * The journal in one file below the agent's state folder.
 *
 * INVARIANTS
 * - `append` resolves after fdatasync: what it wrote survives a crash of agent and machine.
 * - A failed append leaves no half line behind: the file is cut back to its last good length before anything else is written. If that fails
 *   too, every later append fails until `rewrite` has succeeded.
 * - `rewrite` is temporary file, sync, rename, sync of the folder.
 * - One operation at a time, in the order in which they were asked for.
 * - Each record is written together with its seal (journal-codec.ts), so that the last line is never the only one that knows something.
 * - A torn tail is cut off when the file is opened, after its action id was read out.
 * - What is read when the file is opened is on the disk before anybody acts on it: a killed agent leaves writes that are in memory only.
 */
export class FileJournal implements Journal {
  readonly place: string;
  readonly #disk: Disk;
  #handle: DiskFile | undefined;
  #length = 0;
  #dirty = false;
  #whyClosed: unknown = new Error('it is not open');
  #last: Promise<unknown> = Promise.resolve();

  constructor(folder: string, disk: Disk = hostDisk) {
    this.place = path.join(folder, 'actions.journal');
    this.#disk = disk;
  }

  open(): Promise<JournalContents> {
    return this.#inTurn(() => this.#open());
  }

  append(record: JournalRecord): Promise<void> {
    return this.#inTurn(() => this.#append(record));
  }

  rewrite(records: readonly JournalRecord[]): Promise<void> {
    return this.#inTurn(() => this.#rewrite(records));
  }

  close(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#handle?.close();
      this.#handle = undefined;
    });
  }

  async #open(): Promise<JournalContents> {
    let contents: JournalContents | undefined;
    try {
      const bytes = (await this.#disk.read(this.place)) ?? Buffer.alloc(0);
      if (bytes.length > MAX_BYTES) throw new JournalDamagedError(this.place, 1, `${bytes.length} bytes long`);
      contents = decodeJournal(bytes.toString('utf8'), this.place);
      await this.#disk.makeFolder(path.dirname(this.place));
      if (contents.old || contents.tail !== 'whole' || contents.records.length === 0) {
        await this.#rewrite(contents.records);
      } else {
        const handle = await this.#disk.open(this.place, 'change');
        await handle.datasync();
        await this.#disk.syncFolder(path.dirname(this.place));
        this.#handle = handle;
        this.#length = bytes.length;
      }
      return contents;
    } catch (error) {
      this.#whyClosed = error;
      throw this.#unavailable(error, contents);
    }
  }

  async #append(record: JournalRecord): Promise<void> {
    try {
      const handle = this.#handle;
      if (handle === undefined) throw this.#whyClosed;
      if (this.#dirty) await this.#cutBack(handle);
      const line = Buffer.from(encodeAppend(record));
      this.#dirty = true;
      await writeAll(handle, line, this.#length);
      await handle.datasync();
      this.#length += line.length;
      this.#dirty = false;
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  async #rewrite(records: readonly JournalRecord[]): Promise<void> {
    const temporary = `${this.place}.new`;
    let handle: DiskFile | undefined;
    try {
      const bytes = Buffer.from(encodeJournal(records));
      handle = await this.#disk.open(temporary, 'create');
      await writeAll(handle, bytes, 0);
      await handle.sync();
      await this.#disk.rename(temporary, this.place);
      // From here on the old file has no name: the handle changes over even if the folder cannot be synced.
      const old = this.#handle;
      this.#handle = handle;
      this.#length = bytes.length;
      this.#dirty = false;
      await old?.close();
      await this.#disk.syncFolder(path.dirname(this.place));
    } catch (error) {
      if (handle !== this.#handle) {
        await handle?.close();
        await this.#disk.remove(temporary).catch(() => undefined);
      }
      throw this.#unavailable(error);
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #cutBack(handle: DiskFile): Promise<void> {
    await handle.truncate(this.#length);
    await handle.datasync();
    this.#dirty = false;
  }

  #unavailable(error: unknown, known?: JournalContents): Error {
    if (error instanceof JournalDamagedError) return error;
    const cause = error instanceof JournalUnavailableError ? error.cause : error;
    return new JournalUnavailableError(this.place, messageOf(cause), cause, known);
  }
}

async function writeAll(file: DiskFile, bytes: Buffer, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const took = await file.write(bytes.subarray(written), position + written);
    if (took === 0) throw new Error('nothing more can be written');
    written += took;
  }
}
