import { createHash } from 'node:crypto';
import type { LoadedKmod } from '@modfleet/proto';
import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { DatabaseService } from '../database/database.service.ts';
import { insertBuilds, selectBuilds } from './build.queries.ts';
import { clean } from './clean.ts';
import { KmodDictionary } from './kmod-dictionary.ts';

/** Builds of a dozen kernel releases with everything that any host loads. */
const CACHED = 100_000;

/** Numbers for what hosts say of one loaded kmod: name, build, size, version, state. A set is a list of them. Rows are never removed. */
@Injectable()
export class BuildDictionary {
  readonly #database: DatabaseService;
  readonly #kmods: KmodDictionary;
  readonly #ids = new LRUCache<string, number>({ max: CACHED });
  /** Of objects that come again: LoadedReader gives the same one for the same words. */
  readonly #idsOfObjects = new WeakMap<LoadedKmod, number>();

  constructor(@Inject(DatabaseService) database: DatabaseService, @Inject(KmodDictionary) kmods: KmodDictionary) {
    this.#database = database;
    this.#kmods = kmods;
  }

  /**
   * Ids in the order of the kmods; new builds get one. Written outside of any other transaction, as names are (KmodDictionary).
   *
   * @throws DatabaseUnavailableError
   */
  async ids(lists: readonly (readonly LoadedKmod[])[]): Promise<number[][]> {
    const texts = new Map<LoadedKmod, string>();
    const missing = new Map<string, LoadedKmod>();
    for (const kmod of lists.flat()) {
      if (this.#idsOfObjects.has(kmod) || texts.has(kmod)) continue;
      const text = textOf(kmod);
      texts.set(kmod, text);
      if (!this.#ids.has(text)) missing.set(text, kmod);
    }
    const found = missing.size === 0 ? new Map<string, number>() : await this.#add(missing);
    for (const [text, id] of found) this.#ids.set(text, id);
    for (const [kmod, text] of texts)
      this.#idsOfObjects.set(kmod, found.get(text) ?? this.#ids.get(text) ?? noId(text));
    return lists.map((kmods) => kmods.map((kmod) => this.#idsOfObjects.get(kmod) ?? noId(kmod.name)));
  }

  /** Ids by text. */
  async #add(missing: ReadonlyMap<string, LoadedKmod>): Promise<Map<string, number>> {
    const rows = [...missing].map(([text, kmod]) => ({ text, kmod, key: keyOf(text) }));
    // Sorted, so that two replicas never wait for each other in a circle.
    rows.sort((left, right) => (left.key < right.key ? -1 : 1));
    const ids = await selectBuilds(
      this.#database,
      rows.map(({ key }) => key),
    );
    const unknown = rows.filter(({ key }) => !ids.has(key));
    if (unknown.length > 0) {
      const names = await this.#kmods.ids(unknown.map(({ kmod }) => kmod.name));
      await insertBuilds(
        this.#database,
        unknown.map(({ kmod, key }) => ({ kmod, key, kmodId: names.get(kmod.name) ?? noId(kmod.name) })),
      );
      const keys = unknown.map(({ key }) => key);
      for (const [key, id] of await selectBuilds(this.#database, keys)) ids.set(key, id);
    }
    return new Map(rows.flatMap(({ text, key }) => (ids.has(key) ? [[text, ids.get(key) ?? 0]] : [])));
  }
}

/** All that is said of one loaded kmod; migration 0016 puts it together in the same way. */
function textOf({ name, buildId, size, taint, version, srcversion, state }: LoadedKmod): string {
  return clean([name, buildId, size, taint, version, srcversion, state].join('\u001f'));
}

/** SHA-256, hex. */
function keyOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function noId(what: string): never {
  throw new Error(`the dictionary gave no id for ${what}`);
}
