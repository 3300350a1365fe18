import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { KeyFileError, readIfThere, replaceFile, writeOnce } from '../keys/key-files.ts';

const MODE = 0o600;

/** Above it, a number of the contract is no exact JavaScript number; nobody raises an epoch so often. */
const MAX_EPOCH = 1_000_000_000;

/**
 * The epoch of commands, from 1: STATE_DIR/keys/epoch, beside the key and shared by all replicas, and not in Postgres, because it is what
 * outlives a database that is put back. Read anew each time: `modfleet-server epoch raise` is another process.
 */
export class EpochFile {
  readonly path: string;
  readonly #folder: string;

  constructor(keysFolder: string) {
    this.#folder = keysFolder;
    this.path = join(keysFolder, 'epoch');
  }

  /** A new keys folder begins at 1. @throws KeyFileError when the file holds no epoch. */
  read(): number {
    const text = readIfThere(this.path) ?? this.#begin();
    const epoch = /^[1-9][0-9]{0,9}\n?$/.test(text) ? Number(text) : NaN;
    if (!(epoch <= MAX_EPOCH))
      throw new KeyFileError(
        `${this.path} holds no epoch: restore the keys folder from its backup, then run "modfleet-server epoch raise"`,
      );
    return epoch;
  }

  /** Whether this folder is one of a server: it has the key that signs. */
  get hasKey(): boolean {
    return readIfThere(join(this.#folder, 'command.key')) !== undefined;
  }

  /** After a crash the file holds the old epoch or the new one. */
  write(epoch: number): void {
    replaceFile(this.path, `${epoch}\n`, MODE);
  }

  #begin(): string {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    return writeOnce(this.path, () => '1\n', MODE);
  }
}
