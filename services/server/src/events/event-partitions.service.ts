import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { isLockTimeout } from '../database/database.errors.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import {
  createPartition,
  dropPartition,
  existingPartitions,
  expiredPartitions,
  HISTORY_TABLES,
  type HistoryTable,
  lockPartitions,
  pruneDefaultPartition,
  wantedWeeks,
} from './partition.queries.ts';

const TABLES = Object.keys(HISTORY_TABLES) as HistoryTable[];
/** Short questions let the lock through within this; who reads for longer makes it wait for the next round. */
const TRIES = 5;
const BETWEEN_TRIES_MS = 200;

/**
 * Keeps a partition for every week that events and connections may fall into, and none beyond the retention.
 *
 * INVARIANTS
 * - Making and dropping take a lock that everybody who writes the table would queue up behind. Each waits for it a tenth of a second at most, in a
 *   transaction of its own, and gives up: nobody is locked out for longer, however long somebody else reads. What was not done is left to the next round.
 */
@Injectable()
export class EventPartitions {
  readonly #database: DatabaseService;
  readonly #retentionDays: number;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(SERVER_CONFIG) config: Pick<ServerConfig, 'eventRetentionDays'>,
  ) {
    this.#database = database;
    this.#retentionDays = config.eventRetentionDays;
  }

  /** Names made. */
  async makeAhead(): Promise<string[]> {
    const made: string[] = [];
    for (const table of TABLES)
      for (const week of await wantedWeeks(this.#database, table)) {
        const done = await this.#tried(async (sql) => {
          const existing = await existingPartitions(sql, table);
          if (existing.some((partition) => partition.name === week.name)) return false;
          await createPartition(sql, table, week);
          return true;
        });
        if (done) made.push(week.name);
      }
    return made;
  }

  /** Names dropped. */
  async dropExpired(): Promise<string[]> {
    const dropped: string[] = [];
    for (const table of TABLES) {
      for (const name of await expiredPartitions(this.#database, table, this.#retentionDays)) {
        const done = await this.#tried(async (sql) => {
          const existing = await existingPartitions(sql, table);
          if (!existing.some((partition) => partition.name === name)) return false;
          await dropPartition(sql, name);
          return true;
        });
        if (done) dropped.push(name);
      }
      await pruneDefaultPartition(this.#database, table, this.#retentionDays);
    }
    return dropped;
  }

  /** False also when the lock was not to be had. */
  async #tried(work: (sql: Sql) => Promise<boolean>): Promise<boolean> {
    for (let tries = 1; tries <= TRIES; tries += 1) {
      try {
        return await this.#database.tx('READ COMMITTED', async (sql) => {
          await lockPartitions(sql);
          return work(sql);
        });
      } catch (error) {
        if (!isLockTimeout(error)) throw error;
      }
      if (tries < TRIES) await sleep(BETWEEN_TRIES_MS);
    }
    return false;
  }
}
