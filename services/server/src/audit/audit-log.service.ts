import type { KeyObject } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { databaseTime } from '../database/clock.queries.ts';
import { DatabaseService } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { findHost } from '../hosts/host-lookup.ts';
import { ServerKeys } from '../keys/server-keys.ts';
import { CursorService } from '../paging/cursor.service.ts';
import { AuditAlarms } from './audit-alarms.ts';
import { requireKnown } from './audit-names.ts';
import { selectRows } from './audit-read.queries.ts';
import type { auditListQuery, auditListSchema, auditReportSchema } from './audit.schema.ts';
import { toAlarm, toAuditRow, toReport } from './audit.view.ts';
import { SealSigner } from './seal-key.ts';
import { verifyAudit, type VerifyOptions } from './verify.ts';
import { ExportedFile } from './verify-export.ts';

const BUSY_RETRY_S = 10;

/** Reads the audit log. */
@Injectable()
export class AuditLog {
  readonly #database: DatabaseService;
  readonly #cursors: CursorService;
  readonly #alarms: AuditAlarms;
  readonly #signer: SealSigner;
  readonly #macKey: KeyObject;
  readonly #sealsFile: string;
  #verifying = false;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(CursorService) cursors: CursorService,
    @Inject(AuditAlarms) alarms: AuditAlarms,
    @Inject(SealSigner) signer: SealSigner,
    @Inject(ServerKeys) keys: ServerKeys,
    @Inject(SERVER_CONFIG) config: Pick<ServerConfig, 'auditSealsFile'>,
  ) {
    this.#database = database;
    this.#cursors = cursors;
    this.#alarms = alarms;
    this.#signer = signer;
    this.#macKey = keys.sealKey('audit');
    this.#sealsFile = config.auditSealsFile;
  }

  /** Newest first. @throws AppError host_not_found, host_ambiguous, host_retired, actor_unknown, kmod_unknown, cursor_invalid. */
  async page(query: z.output<typeof auditListQuery>): Promise<Omit<z.output<typeof auditListSchema>, 'freeze'>> {
    const { limit, cursor, host, since, until, ...filters } = query;
    const hostId = host === undefined ? undefined : (await findHost(this.#database, host, 'all')).id;
    const scope = { list: 'audit', ...filters, hostId, since, until };
    const position = await this.#cursors.open(scope, cursor);
    const [atMs, replicaId, lane, number] = position?.key ?? [];
    const { rows, asOf } = await this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => ({
      rows: await selectRows(sql, {
        ...filters,
        hostId,
        sinceMs: since === undefined ? undefined : Date.parse(since),
        untilMs: until === undefined ? undefined : Date.parse(until),
        after:
          atMs === undefined
            ? undefined
            : { atMs: Number(atMs), replicaId: String(replicaId), lane: Number(lane), number: Number(number) },
        limit: limit + 1,
      }),
      asOf: await databaseTime(sql),
    }));
    if (rows.length === 0 && cursor === undefined) await requireKnown(this.#database, filters);
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const asOfMs = position?.asOfMs ?? asOf.getTime();
    const more = rows.length > page.length && last !== undefined;
    return {
      items: page.map((row) => toAuditRow(row, this.#macKey)),
      nextCursor: more
        ? await this.#cursors.seal(scope, { key: [last.atMs, last.replicaId, last.lane, last.number], asOfMs })
        : null,
      asOf: asOf.toISOString(),
      alarms: this.#alarms.list().map(toAlarm),
    };
  }

  /**
   * Verifies the whole log, against the file that this replica exports to. One at a time: it reads everything.
   *
   * @throws AppError overloaded.
   */
  async verify(options: Pick<VerifyOptions, 'onProgress' | 'signal'>): Promise<z.output<typeof auditReportSchema>> {
    if (this.#verifying)
      throw new AppError('overloaded', 'this server is verifying its audit log just now, and does one at a time', {
        retryAfterSeconds: BUSY_RETRY_S,
      });
    this.#verifying = true;
    try {
      const there = await stat(this.#sealsFile).then(
        (found) => found.isFile(),
        () => false,
      );
      const report = await verifyAudit(this.#database, {
        ...options,
        verifier: this.#signer.verifier,
        macKey: this.#macKey,
        exported: there ? new ExportedFile(this.#sealsFile) : undefined,
      });
      return toReport(report, this.#signer.verifier.pem, this.#alarms.list());
    } finally {
      this.#verifying = false;
    }
  }
}
