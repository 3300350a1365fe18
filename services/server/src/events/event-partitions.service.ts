import { Inject, Injectable } from '@nestjs/common';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import {
  createPartition,
  dropPartition,
  existingPartitions,
  expiredPartitions,
  lockPartitions,
  pruneDefaultPartition,
  wantedWeeks,
} from './partition.queries.ts';

/** Keeps a partition for every week that events may fall into, and none beyond the retention. */
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

  /** Names made. Each in a transaction of its own: the lock on the table is short. */
  async makeAhead(): Promise<string[]> {
    const made: string[] = [];
    for (const week of await wantedWeeks(this.#database)) {
      await this.#database.tx('READ COMMITTED', async (sql) => {
        await lockPartitions(sql);
        const existing = await existingPartitions(sql);
        if (existing.some((partition) => partition.name === week.name)) return;
        await createPartition(sql, week);
        made.push(week.name);
      });
    }
    return made;
  }

  /** Names dropped. */
  async dropExpired(): Promise<string[]> {
    const dropped: string[] = [];
    for (const name of await expiredPartitions(this.#database, this.#retentionDays)) {
      await this.#database.tx('READ COMMITTED', async (sql) => {
        await lockPartitions(sql);
        const existing = await existingPartitions(sql);
        if (!existing.some((partition) => partition.name === name)) return;
        await dropPartition(sql, name);
        dropped.push(name);
      });
    }
    await pruneDefaultPartition(this.#database, this.#retentionDays);
    return dropped;
  }
}
