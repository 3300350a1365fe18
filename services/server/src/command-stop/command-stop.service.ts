import { Inject, Injectable, Logger } from '@nestjs/common';
import type { z } from 'zod';
import { SERVER_SOURCE } from '../audit/audit-source.ts';
import { AuditService } from '../audit/audit.service.ts';
import { Bus } from '../bus/bus.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import type { AlarmReader } from '../http/alarm-reader.ts';
import type { alarmSchema } from '../http/common.schema.ts';
import { Metrics } from '../metrics/metrics.service.ts';
import { EpochFile } from '../signing/epoch-file.ts';
import { alarmOf } from './command-stop.words.ts';
import { type RestoreProof, selectCommandStop, shareCommands, updateStopped } from './command-stop.queries.ts';

export type Alarm = z.output<typeof alarmSchema>;

/** Told to every replica after a stop and after it has ended; a lost message costs at most the cache's age. */
export const COMMAND_STOP_CHANNEL = 'command_stop';

/** Every answer shows the alarm; one read of one row serves all answers of this long. */
const CACHE_MS = 500;

/**
 * The stop of all commands, while the database is known to be older than what hosts have been asked.
 *
 * INVARIANTS
 * - The stop is a row. Acceptance and dispatch read the row in their own transactions and never this cache: the cache is for showing.
 * - Only `modfleet-server epoch raise` ends it.
 */
@Injectable()
export class CommandStopService implements AlarmReader {
  readonly #logger = new Logger('commands');
  readonly #database: DatabaseService;
  readonly #epoch: EpochFile;
  readonly #bus: Bus;
  readonly #audit: AuditService;
  readonly #proven;
  #cached: { readonly alarm: Promise<Alarm | null>; readonly at: number } | undefined;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(EpochFile) epoch: EpochFile,
    @Inject(Bus) bus: Bus,
    @Inject(Metrics) metrics: Metrics,
    @Inject(AuditService) audit: AuditService,
  ) {
    this.#audit = audit;
    this.#database = database;
    this.#epoch = epoch;
    this.#bus = bus;
    this.#bus.subscribe(COMMAND_STOP_CHANNEL, () => (this.#cached = undefined));
    this.#proven = metrics.counter(
      'modfleet_restores_proven_total',
      'How often a host proved that the database is older than what it was asked.',
    );
    metrics.gauge(
      'modfleet_commands_stopped',
      '1 while no command is sent or accepted, because the database is older than what a host was asked.',
      [],
      async (gauge) => gauge.set((await this.current()) === null ? 0 : 1),
    );
    metrics.gauge('modfleet_command_epoch', 'Epoch of the commands that this server signs.', [], (gauge) =>
      gauge.set(epoch.read()),
    );
  }

  /** At most {@link CACHE_MS} old; after a change through this process, at once. */
  current(): Promise<Alarm | null> {
    const now = performance.now();
    if (this.#cached === undefined || now - this.#cached.at > CACHE_MS) {
      const alarm = this.read(this.#database);
      const entry = { alarm, at: now };
      this.#cached = entry;
      alarm.catch(() => {
        if (this.#cached === entry) this.#cached = undefined;
      });
    }
    return this.#cached.alarm;
  }

  /** Straight from the row, in the caller's transaction. */
  async read(sql: Sql): Promise<Alarm | null> {
    const row = await selectCommandStop(sql);
    return row === undefined ? null : alarmOf(row);
  }

  /**
   * Whether a command may be accepted, and of which epoch it is; true until the caller's transaction ends.
   *
   * @throws AppError database_behind.
   */
  async admit(sql: Sql): Promise<number> {
    if (await shareCommands(sql)) return this.#epoch.read();
    const alarm = await this.read(sql);
    throw new AppError('database_behind', alarm?.message ?? 'commands are stopped; ask again');
  }

  /** A host has proven that the database is older than what it was asked. */
  async stop(proof: RestoreProof): Promise<void> {
    const isFirst = await this.#database.tx('READ COMMITTED', async (sql) => {
      const stopped = await updateStopped(sql, proof);
      if (stopped)
        await this.#audit.record(sql, SERVER_SOURCE, {
          what: 'commands.stop',
          object: proof.actionId,
          hosts: [proof.hostId],
          reason: `the host has taken command ${proof.sequence} of epoch ${proof.epoch}; known here: ${proof.knownSequence} of epoch ${proof.knownEpoch}`,
        });
      return stopped;
    });
    this.#cached = undefined;
    if (!isFirst) return;
    this.#proven.inc();
    const alarm = await this.read(this.#database);
    this.#logger.error({ message: alarm?.message, ...proof });
    try {
      await this.#bus.publish(COMMAND_STOP_CHANNEL, '');
    } catch (error) {
      this.#logger.warn({
        message: 'the other replicas were not told of the stop; they read it before each command',
        err: error,
      });
    }
  }
}
