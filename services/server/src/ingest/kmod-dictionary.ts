import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { DatabaseService, type Sql } from '../database/database.service.ts';

/** All kmods of several full kernels. */
const CACHED = 50_000;

/** Numbers for kmod names: sets hold integers, so a set of 150 kmods is 600 bytes and its index is small. Names are never removed. */
@Injectable()
export class KmodDictionary {
  readonly #database: DatabaseService;
  readonly #ids = new LRUCache<string, number>({ max: CACHED });

  constructor(@Inject(DatabaseService) database: DatabaseService) {
    this.#database = database;
  }

  /**
   * Ids of canonical names; new names get one. Written outside of any other transaction, so that a rolled back one leaves no cached id behind.
   *
   * @throws DatabaseUnavailableError
   */
  async ids(names: readonly string[]): Promise<Map<string, number>> {
    const result = new Map<string, number>();
    const missing = new Set<string>();
    for (const name of names) {
      const id = this.#ids.get(name);
      if (id === undefined) missing.add(name);
      else result.set(name, id);
    }
    if (missing.size === 0) return result;
    for (const [name, id] of await insertMissing(this.#database, [...missing].sort())) {
      this.#ids.set(name, id);
      result.set(name, id);
    }
    return result;
  }
}

/** Sorted, so that two replicas never wait for each other in a circle. Looks first: a conflict would use up a number each time. */
async function insertMissing(sql: Sql, names: readonly string[]): Promise<[string, number][]> {
  const select = 'SELECT name, id FROM kmod WHERE name = ANY ($1)';
  const found = await sql.query<{ name: string; id: number }>(select, [names]);
  const known = new Set(found.map((row) => row.name));
  const missing = names.filter((name) => !known.has(name));
  if (missing.length > 0) {
    await sql.query('INSERT INTO kmod (name) SELECT unnest($1::text[]) ON CONFLICT (name) DO NOTHING', [missing]);
    found.push(...(await sql.query<{ name: string; id: number }>(select, [missing])));
  }
  return found.map((row) => [row.name, row.id]);
}
