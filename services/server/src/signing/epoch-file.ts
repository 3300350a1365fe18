import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { KeyFileError, readIfThere, replaceFile, writeOnce } from '../keys/key-files.ts';

const MODE = 0o600;

/** Above it, a number of the contract is no exact JavaScript number; nobody raises an epoch so often. */
const MAX_EPOCH = 1_000_000_000;

/** A raise that is under way. `id`: in the details of its row in the audit log. */
const raiseSchema = z.strictObject({ id: z.uuid(), epoch: z.int().min(1).max(MAX_EPOCH) });
export type EpochRaise = z.output<typeof raiseSchema>;

/**
 * The epoch of commands, from 1: STATE_DIR/keys/epoch, beside the key and shared by all replicas, and not in Postgres, because it is what
 * outlives a database that is put back. Read anew each time: `modfleet-server epoch raise` is another process.
 */
export class EpochFile {
  readonly path: string;
  /** Holds a raise from before its row in the audit log is committed until its last step: what a crash leaves is finished from it. */
  readonly raisePath: string;
  readonly #folder: string;

  constructor(keysFolder: string) {
    this.raisePath = join(keysFolder, 'epoch.raise');
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

  /** After a crash the file holds the old epoch or the new one. */
  write(epoch: number): void {
    replaceFile(this.path, `${epoch}\n`, MODE);
  }

  /** @throws KeyFileError when it is damaged. */
  readRaise(): EpochRaise | undefined {
    const text = readIfThere(this.raisePath);
    if (text === undefined) return undefined;
    try {
      return raiseSchema.parse(JSON.parse(text));
    } catch (cause) {
      throw new KeyFileError(`${this.raisePath} is damaged: remove it, then run "modfleet-server epoch raise"`, {
        cause,
      });
    }
  }

  writeRaise(raise: EpochRaise): void {
    replaceFile(this.raisePath, `${JSON.stringify(raise)}\n`, MODE);
  }

  removeRaise(): void {
    rmSync(this.raisePath, { force: true });
  }

  #begin(): string {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    return writeOnce(this.path, () => '1\n', MODE);
  }
}
