import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseUnavailableError } from '../database/database.errors.ts';
import type { DatabaseService } from '../database/database.service.ts';
import { readIfThere, writeOnce } from '../keys/key-files.ts';
import type { AccessRepository } from './access.repository.ts';

/** Beside seal.key: who can write the database alone cannot have rows sealed a second time. */
const MARK = 'access-sealed';

/** The database answered a moment ago, when it was migrated: a busy machine may not give a connection within the pool's limit at once. */
const TRIES = 10;
const BETWEEN_MS = 1_000;

/**
 * Seals what migration 0008 made of the tokens of before, once in the life of a key folder. From then on a row without a seal was put there by hand, and
 * gives nothing. Several replicas that start at once seal the same rows with the same key.
 *
 * @param folder of the keys. @returns how many rows were sealed.
 */
export async function sealOnce(
  folder: string,
  repository: AccessRepository,
  database: DatabaseService,
): Promise<number> {
  const mark = join(folder, MARK);
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
