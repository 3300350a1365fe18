import { Inject, Injectable, Logger } from '@nestjs/common';
import type { z } from 'zod';
import type { AuditSource } from '../audit/audit.model.ts';
import { AuditService } from '../audit/audit.service.ts';
import { Bus } from '../bus/bus.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import type { freezeSchema } from '../http/common.schema.ts';
import type { FreezeReader } from '../http/freeze-reader.ts';
import { selectFreeze, updateFrozen, updateThawed } from './freeze.queries.ts';

export type Freeze = z.output<typeof freezeSchema>;

/** Told to every replica after a freeze or a thaw; a lost message costs at most the cache's age. */
export const FREEZE_CHANNEL = 'freeze';

/** Every answer shows the freeze; one read of one row serves all answers of this long. */
const CACHE_MS = 500;

/**
 * The freeze of the whole fleet.
 *
 * INVARIANTS
 * - The freeze is a row. Dispatch reads the row in its own transaction (dispatch.queries.ts) and never this cache: the cache is for showing.
 */
@Injectable()
export class FreezeService implements FreezeReader {
  readonly #database: DatabaseService;
  readonly #bus: Bus;
  readonly #audit: AuditService;
  readonly #logger = new Logger('freeze');
  #cached: { readonly freeze: Promise<Freeze>; readonly at: number } | undefined;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(Bus) bus: Bus,
    @Inject(AuditService) audit: AuditService,
  ) {
    this.#database = database;
    this.#bus = bus;
    this.#audit = audit;
    this.#bus.subscribe(FREEZE_CHANNEL, () => (this.#cached = undefined));
  }

  /** At most {@link CACHE_MS} old; after a change through this process, at once. */
  current(): Promise<Freeze> {
    const now = performance.now();
    if (this.#cached === undefined || now - this.#cached.at > CACHE_MS) {
      const freeze = this.read(this.#database);
      const entry = { freeze, at: now };
      this.#cached = entry;
      freeze.catch(() => {
        if (this.#cached === entry) this.#cached = undefined;
      });
    }
    return this.#cached.freeze;
  }

  /** Straight from the row, in the caller's transaction. */
  async read(sql: Sql): Promise<Freeze> {
    const row = await selectFreeze(sql);
    if (row === undefined || !row.frozen) return null;
    return { by: row.by ?? '', reason: row.reason ?? '', at: (row.at ?? new Date(0)).toISOString() };
  }

  /** Straight from the row. @throws AppError frozen. */
  async requireThawed(sql: Sql): Promise<void> {
    const freeze = await this.read(sql);
    if (freeze === null) return;
    throw new AppError(
      'frozen',
      `the fleet is frozen by ${freeze.by} since ${freeze.at}: ${freeze.reason}; no action is taken until the freeze is lifted (POST /api/v1/thaw)`,
    );
  }

  /** Freezes, in the caller's transaction; {@link announce} after its commit. */
  async freeze(sql: Sql, source: AuditSource, reason: string): Promise<Freeze> {
    await updateFrozen(sql, source.actor.name, reason);
    await this.#audit.record(sql, source, { what: 'fleet.freeze', reason });
    return this.read(sql);
  }

  async thaw(sql: Sql, source: AuditSource): Promise<Freeze> {
    await updateThawed(sql);
    await this.#audit.record(sql, source, { what: 'fleet.thaw' });
    return this.read(sql);
  }

  /** Tells every replica; never fails: the row is the truth. */
  async announce(): Promise<void> {
    this.#cached = undefined;
    try {
      await this.#bus.publish(FREEZE_CHANNEL, '');
    } catch (error) {
      this.#logger.warn({
        message: 'the other replicas were not told of the freeze; they see it within half a second',
        err: error,
      });
    }
  }
}
