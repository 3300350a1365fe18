import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { decodeJournal, encodeJournal, encodeRecord } from './journal-codec.ts';
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
 * - A torn tail is cut off when the file is opened, after its action id was read out.
 */
export class FileJournal implements Journal {
  readonly place: string;
  #handle: FileHandle | undefined;
  #length = 0;
  #dirty = false;
  #whyClosed: unknown = new Error('it is not open');
  #last: Promise<unknown> = Promise.resolve();

  constructor(folder: string) {
    this.place = path.join(folder, 'actions.journal');
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
    try {
      await mkdir(path.dirname(this.place), { recursive: true, mode: 0o700 });
      const bytes = await readIfThere(this.place);
      if (bytes.length > MAX_BYTES) throw new JournalDamagedError(this.place, 1, `${bytes.length} bytes long`);
      const contents = decodeJournal(bytes.toString('utf8'), this.place);
      if (contents.torn || bytes.length === 0 || contents.records.length === 0) {
        await this.#rewrite(contents.records);
      } else {
        this.#handle = await open(this.place, 'r+');
        this.#length = bytes.length;
      }
      return contents;
    } catch (error) {
      this.#whyClosed = error;
      throw this.#unavailable(error);
    }
  }

  async #append(record: JournalRecord): Promise<void> {
    try {
      const handle = this.#handle;
      if (handle === undefined) throw this.#whyClosed;
      if (this.#dirty) await this.#cutBack(handle);
      const line = Buffer.from(encodeRecord(record));
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
    let handle: FileHandle | undefined;
    try {
      const bytes = Buffer.from(encodeJournal(records));
      handle = await open(temporary, 'w+', 0o600);
      await writeAll(handle, bytes, 0);
      await handle.sync();
      await rename(temporary, this.place);
      // From here on the old file has no name: the handle changes over even if the folder cannot be synced.
      const old = this.#handle;
      this.#handle = handle;
      this.#length = bytes.length;
      this.#dirty = false;
      await old?.close();
      await syncFolder(path.dirname(this.place));
    } catch (error) {
      if (handle !== this.#handle) {
        await handle?.close();
        await rm(temporary, { force: true }).catch(() => undefined);
      }
      throw this.#unavailable(error);
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #cutBack(handle: FileHandle): Promise<void> {
    await handle.truncate(this.#length);
    await handle.datasync();
    this.#dirty = false;
  }

  #unavailable(error: unknown): Error {
    if (error instanceof JournalDamagedError || error instanceof JournalUnavailableError) return error;
    return new JournalUnavailableError(this.place, error instanceof Error ? error.message : String(error), error);
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
    if (bytesWritten === 0) throw new Error('nothing more can be written');
    written += bytesWritten;
  }
}

async function readIfThere(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
