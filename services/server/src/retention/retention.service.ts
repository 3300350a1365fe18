/**
 * Housekeeping. Every replica does all of it: each statement is harmless when another one did the same a moment ago.
 *
 * INVARIANTS
 * - One round at a time; a job that fails is logged and the others run; the next round comes all the same.
 */
import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { RETIRED_CHANNEL } from '../agent-session/session-mail.ts';
import { SERVER_SOURCE } from '../audit/audit-source.ts';
import { AuditService } from '../audit/audit.service.ts';
import { Bus } from '../bus/bus.ts';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { EventPartitions } from '../events/event-partitions.service.ts';
import { isShared, lockKnownSets, type SharedFacet } from '../ingest/set.queries.ts';
import { KNOWN_FACETS } from '@modfleet/proto';
import { buryDeadReplicas } from '../presence/replica.queries.ts';
import {
  deleteUnneededCertificates,
  deleteUnreferenced,
  deleteUnusedPlans,
  forgetJoinTokenUses,
  forgetRetiredHosts,
  markUnreferenced,
  pruneIdempotencyKeys,
  retireSilentHosts,
} from './gc.queries.ts';

const ROUND_MS = 10 * 60_000;

@Injectable()
export class RetentionService implements OnModuleInit, OnApplicationShutdown {
  readonly #log = new Logger('Retention');
  readonly #database: DatabaseService;
  readonly #partitions: EventPartitions;
  readonly #bus: Bus;
  readonly #audit: AuditService;
  readonly #retireAfterDays: number;
  readonly #timers: NodeJS.Timeout[] = [];
  #running: Promise<void> = Promise.resolve();

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(EventPartitions) partitions: EventPartitions,
    @Inject(Bus) bus: Bus,
    @Inject(AuditService) audit: AuditService,
    @Inject(SERVER_CONFIG) config: Pick<ServerConfig, 'retireAfterDays'>,
  ) {
    this.#database = database;
    this.#partitions = partitions;
    this.#bus = bus;
    this.#audit = audit;
    this.#retireAfterDays = config.retireAfterDays;
  }

  /** Partitions are there before the first host connects. */
  async onModuleInit(): Promise<void> {
    await this.#partitions.makeAhead();
    // Jitter: replicas that started together do not keep house together.
    this.#timers.push(setInterval(() => this.#enqueue(() => this.round()), ROUND_MS * (0.8 + Math.random() * 0.4)));
  }

  async onApplicationShutdown(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#running;
  }

  /** Everything once. Never rejects. */
  async round(): Promise<void> {
    await this.#attempt('partitions ahead', () => this.#partitions.makeAhead());
    await this.#attempt('expired events', () => this.#partitions.dropExpired());
    await this.#attempt('silent hosts', () => this.retireSilent());
    await this.#attempt('retired hosts', () => forgetRetiredHosts(this.#database));
    await this.#attempt('dead replicas', () => buryDeadReplicas(this.#database));
    await this.#attempt('idempotency keys', () => pruneIdempotencyKeys(this.#database));
    await this.#attempt('command certificates', () => deleteUnneededCertificates(this.#database));
    await this.#attempt('unused plans', () => deleteUnusedPlans(this.#database));
    await this.#attempt('uses of join tokens', () => forgetJoinTokenUses(this.#database));
    for (const facet of KNOWN_FACETS)
      if (isShared(facet)) await this.#attempt(`sets of facet ${facet}`, () => this.collect(facet));
  }

  /** Ids of hosts that were retired because nothing was heard of them for too long. */
  async retireSilent(): Promise<string[]> {
    const reason = `not seen for ${this.#retireAfterDays} days`;
    const ids = await this.#database.tx('READ COMMITTED', async (sql) => {
      const retired = await retireSilentHosts(sql, this.#retireAfterDays);
      if (retired.length > 0)
        await this.#audit.record(sql, SERVER_SOURCE, { what: 'host.retire', hosts: retired, reason });
      return retired;
    });
    for (const id of ids) {
      this.#log.log(`host ${id} is retired: not seen for ${this.#retireAfterDays} days`);
      await this.#bus.publish(RETIRED_CHANNEL, id);
    }
    return ids;
  }

  /** Removes sets of one facet that nobody refers to since 24 h; answers how many. */
  async collect(facet: SharedFacet): Promise<number> {
    let removed = 0;
    for (;;) {
      const batch = await this.#database.tx('READ COMMITTED', async (sql) => {
        await lockKnownSets(sql, 'exclusive');
        await markUnreferenced(sql, facet);
        return deleteUnreferenced(sql, facet);
      });
      if (batch === 0) return removed;
      removed += batch;
    }
  }

  #enqueue(work: () => Promise<void>): void {
    this.#running = this.#running.then(work);
  }

  async #attempt(what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#log.warn(`housekeeping of ${what} failed, it is tried again later: ${(error as Error).message}`);
    }
  }
}
