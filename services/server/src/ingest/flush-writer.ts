/**
 * Runs flushes against the database.
 *
 * INVARIANTS
 * - A batch is written once: when its COMMIT is not answered, `settle` asks Postgres what became of the transaction before anything else is written.
 *   Events have no key by which a second insert would be noticed.
 */
import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Facet, type KnownFacet } from '@modfleet/proto';
import { DatabaseUnavailableError } from '../database/database.errors.ts';
import { DatabaseService } from '../database/database.service.ts';
import { ReplicaService } from '../presence/replica.service.ts';
import type { BufferedEvent } from './event-buffer.ts';
import { type FlushResult, itemsOf, writeFlush } from './flush.ts';
import type { HostTracker } from './host-tracker.ts';
import { KmodDictionary } from './kmod-dictionary.ts';
import type { LoadedByName } from './loaded-diff.ts';
import { transactionStatus } from './set.queries.ts';

/** Loaded sets kept to compare with. */
const ENTRIES_CACHED = 2_000;

/** What goes into one flush. */
export interface Batch {
  readonly trackers: readonly HostTracker[];
  readonly events: readonly BufferedEvent[];
}

/** How a batch in doubt ended. */
export type Settled =
  | { readonly kind: 'none' }
  | { readonly kind: 'committed'; readonly batch: Batch; readonly result: FlushResult }
  | { readonly kind: 'undone'; readonly batch: Batch };

@Injectable()
export class FlushWriter {
  readonly #database: DatabaseService;
  readonly #dictionary: KmodDictionary;
  readonly #replica: ReplicaService;
  readonly #entries = new LRUCache<string, LoadedByName>({ max: ENTRIES_CACHED });
  #doubt: { readonly batch: Batch; readonly result: FlushResult } | undefined;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(KmodDictionary) dictionary: KmodDictionary,
    @Inject(ReplicaService) replica: ReplicaService,
  ) {
    this.#database = database;
    this.#dictionary = dictionary;
    this.#replica = replica;
  }

  /** Two intervals, after which a facet that was not observed is stale. */
  readonly windowMs = (facet: KnownFacet): number =>
    facet === Facet.FACET_LOADED ? this.#replica.windows.loadedMs : this.#replica.windows.facetMs;

  /** A set that will be compared with soon. */
  remember(hex: string, entries: LoadedByName): void {
    this.#entries.set(hex, entries);
  }

  get inDoubt(): boolean {
    return this.#doubt !== undefined;
  }

  /**
   * Writes a batch. When it throws, either nothing is written, or the batch is in doubt: `inDoubt` tells, and `settle` must come next.
   *
   * @throws DatabaseUnavailableError
   */
  async write(batch: Batch): Promise<FlushResult> {
    const { trackers, events } = batch;
    const ids = await this.#dictionary.ids(events.map((event) => event.kmod));
    const now = performance.now();
    const input = {
      trackers,
      now,
      windowMs: this.windowMs,
      items: itemsOf(trackers),
      ended: trackers.filter((tracker) => tracker.ended),
      events: events.map(({ kmod, at, ...event }) => ({
        ...event,
        kmodId: ids.get(kmod) ?? 0,
        ageMs: Math.max(0, now - at),
        detail: null,
      })),
      cachedEntries: (hex: string) => this.#entries.get(hex),
      kmodIds: (names: readonly string[]) => this.#dictionary.ids(names),
    };
    let result: FlushResult | undefined;
    try {
      await this.#database.tx('READ COMMITTED', async (sql) => {
        result = await writeFlush(sql, input);
      });
    } catch (error) {
      if (result !== undefined) this.#doubt = { batch, result };
      throw error;
    }
    if (result === undefined) throw new Error('a transaction that committed without its work');
    for (const [hex, entries] of result.loadedEntries) this.#entries.set(hex, entries);
    return result;
  }

  /** @throws DatabaseUnavailableError while it cannot be told. */
  async settle(): Promise<Settled> {
    const doubt = this.#doubt;
    if (doubt === undefined) return { kind: 'none' };
    const status = await transactionStatus(this.#database, doubt.result.xid);
    if (status === 'in progress') throw new DatabaseUnavailableError(new Error('a transaction is still ending'));
    this.#doubt = undefined;
    return status === 'committed' ? { kind: 'committed', ...doubt } : { kind: 'undone', batch: doubt.batch };
  }
}
