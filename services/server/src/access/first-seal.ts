import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseUnavailableError } from '../database/database.errors.ts';
import type { DatabaseService, Sql } from '../database/database.service.ts';
import { readIfThere, writeOnce } from '../keys/key-files.ts';

/** The database answered a moment ago, when it was migrated: a busy machine may not give a connection within the pool's limit at once. */
const TRIES = 10;
const BETWEEN_MS = 1_000;

/** A file beside seal.key: who can write the database alone cannot have rows sealed a second time. */
export interface SealMark {
  /** Of the keys. */
  readonly folder: string;
  readonly name: string;
}

/** What seals the rows that have no seal, and says how many there were. */
export interface SealsUnsealed {
  sealUnsealed(sql: Sql): Promise<number>;
}

/**
 * Seals the rows of before a kind of seal, once in the life of a key folder. From then on a row without a seal was put there by hand, and
 * gives nothing. Several replicas that start at once seal the same rows with the same key.
 *
 * @returns how many rows were sealed.
 */
export async function sealOnce(
  { folder, name }: SealMark,
  repository: SealsUnsealed,
  database: DatabaseService,
): Promise<number> {
  const mark = join(folder, name);
  if (readIfThere(mark) !== undefined) return 0;
  const sealed = await patiently(() => database.tx('READ COMMITTED', (sql) => repository.sealUnsealed(sql)));
  writeOnce(mark, () => 'The rights that were in the database before seals are sealed. Do not delete.\n', 0o600);
  return sealed;
}

/** @throws DatabaseUnavailableError after the last try; anything else at once. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let left = TRIES; ; left -= 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError) || left <= 1) throw error;
      await delay(BETWEEN_MS);
    }
  }
}
