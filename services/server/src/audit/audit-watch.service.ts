/**
 * Each second, on every replica: are the rows that this process wrote still there; seal, if the lease is ours; copy the seals out.
 *
 * INVARIANTS
 * - Rounds never overlap, and a round that fails is followed by the next one.
 * - Nothing here holds up or undoes a decision: it finds out, and says.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { replaceFile } from '../keys/key-files.ts';
import type { DatabaseService } from '../database/database.service.ts';
import type { Metrics } from '../metrics/metrics.service.ts';
import type { AuditAlarms } from './audit-alarms.ts';
import type { AuditClock, AuditService } from './audit.service.ts';
import { dropLease, dropOldLanes, selectMissing, selectUnsealed } from './seal.queries.ts';
import type { SealExport } from './seal-export.ts';
import type { SealVerifier } from './seal-key.ts';
import type { Sealer } from './sealer.ts';
import { OLD_LANE_DAYS } from './lanes.ts';

const ROUND_MS = 1_000;
/** Rows that wait longer are an alarm. */
const LATE_MS = 10_000;
const LANES_MS = 60 * 60_000;

export interface AuditWatchParts {
  readonly database: DatabaseService;
  readonly clock: AuditClock;
  readonly audit: AuditService;
  readonly sealer: Sealer;
  readonly seals: SealExport;
  readonly alarms: AuditAlarms;
  readonly metrics: Metrics;
  readonly verifier: SealVerifier;
  /** Where seals are exported to; the public key goes beside it. */
  readonly sealsFile: string;
}

export class AuditWatch implements OnModuleInit, OnApplicationShutdown {
  readonly #parts: AuditWatchParts;
  readonly #logger = new Logger('audit');
  readonly #sealed;
  readonly #unsealed;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #lanesLookedAt = -Infinity;
  #stopped = false;
  #failing = false;

  constructor(parts: AuditWatchParts) {
    this.#parts = parts;
    this.#sealed = parts.metrics.counter(
      'modfleet_audit_sealed_rows_total',
      'Rows of the audit log that this process sealed.',
    );
    this.#unsealed = parts.metrics.gauge(
      'modfleet_audit_unsealed_seconds',
      'Age of the oldest row of the audit log without a seal; 0: none.',
    );
  }

  async onModuleInit(): Promise<void> {
    await this.#publishKey();
    this.#schedule();
  }

  /** What was decided until now is sealed and exported before the process ends. */
  async onApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.round();
    await dropLease(this.#parts.database, this.#parts.clock.id).catch(() => undefined);
  }

  /** Everything once. Never rejects. */
  round(): Promise<void> {
    this.#running = this.#running.then(() => this.#once());
    return this.#running;
  }

  async #once(): Promise<void> {
    const { audit, sealer, seals, clock, database } = this.#parts;
    try {
      const heads = audit.heads();
      await this.#lookForRows(heads);
      const { rows, gaps } = await sealer.round();
      this.#sealed.inc(rows);
      if (gaps.length > 0)
        this.#parts.alarms.raise(
          'rows_missing',
          `rows of the audit log were removed before they were sealed: ${gaps.slice(0, 10).join(', ')}`,
        );
      await seals.round(heads, clock.nowMs());
      await this.#lookForUnsealed();
      if (performance.now() - this.#lanesLookedAt > LANES_MS) {
        this.#lanesLookedAt = performance.now();
        await dropOldLanes(database, OLD_LANE_DAYS);
      }
      this.#failing = false;
    } catch (error) {
      if (!this.#failing)
        this.#logger.warn({ message: 'the audit log could not be sealed; it is tried again', err: error });
      this.#failing = true;
    }
  }

  async #lookForRows(heads: readonly { lane: number; head: number }[]): Promise<void> {
    if (heads.length === 0) return;
    const { database, clock, alarms } = this.#parts;
    const missing = await selectMissing(database, clock.id, heads);
    if (missing.length === 0) return;
    const names = missing.map(({ lane, head }) => `${clock.id}.${lane}.${head}`).join(', ');
    alarms.raise('rows_missing', `rows of the audit log that this server wrote are gone from the database: ${names}`);
  }

  async #lookForUnsealed(): Promise<void> {
    const { rows, ageMs } = await selectUnsealed(this.#parts.database);
    this.#unsealed.set((ageMs ?? 0) / 1000);
    if (ageMs === null || ageMs < LATE_MS) return this.#parts.alarms.clear('sealing_late');
    // Without the age: the text is an alarm's identity in the log.
    this.#parts.alarms.raise(
      'sealing_late',
      `rows of the audit log have been waiting for their seal for more than ${LATE_MS / 1000} s (${rows >= 1000 ? 'thousands' : 'some'})`,
    );
  }

  /** The key by which others verify seals. */
  async #publishKey(): Promise<void> {
    const { sealsFile, verifier } = this.#parts;
    try {
      await mkdir(dirname(sealsFile), { recursive: true, mode: 0o700 });
      replaceFile(join(dirname(sealsFile), 'seal-public.pem'), verifier.pem, 0o644);
    } catch (error) {
      this.#logger.warn({ message: 'the public key of the seals could not be written beside their file', err: error });
    }
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      void this.round().finally(() => this.#schedule());
    }, ROUND_MS);
    this.#timer.unref();
  }
}
