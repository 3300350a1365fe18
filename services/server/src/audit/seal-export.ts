/**
 * Copies every seal to a file outside the database, on every replica: who rolls the database back as a whole cannot roll that back too.
 *
 * INVARIANTS
 * - A file that cannot be written stops no action and no sealing; it raises an alarm that says what is at risk.
 * - Once the database and the file disagree nothing more is appended: the file is the evidence.
 */
import type { DatabaseService } from '../database/database.service.ts';
import type { AuditAlarms } from './audit-alarms.ts';
import type { Lane } from './lanes.ts';
import { parseRanges, type Seal, sealHash } from './seal.model.ts';
import type { SealFile } from './seal-file.ts';
import { headsLine, sealLine } from './seal-line.ts';
import { selectLastSeal, selectSeals } from './seal.queries.ts';

const BATCH = 500;

export class SealExport {
  readonly #database: DatabaseService;
  readonly #file: SealFile;
  readonly #alarms: AuditAlarms;
  readonly #replicaId: string;
  /** Of this process's lanes: how far the file has them, in seals or as heads. */
  readonly #exportedTo = new Map<number, number>();

  constructor(database: DatabaseService, file: SealFile, alarms: AuditAlarms, replicaId: string) {
    this.#database = database;
    this.#file = file;
    this.#alarms = alarms;
    this.#replicaId = replicaId;
  }

  /**
   * Copies the seals that the file has not, and then the numbers of rows that have no seal yet. Throws only when the database does not answer.
   *
   * @param heads the last committed numbers of this process, read before its last sealing round.
   */
  async round(heads: readonly Lane[], nowMs: number): Promise<void> {
    try {
      if (!(await this.#copySeals())) return;
      await this.#writeHeads(heads, nowMs);
      this.#alarms.clear('export_failing');
    } catch (error) {
      if (!isFileError(error)) throw error;
      this.#alarms.raise(
        'export_failing',
        `seals cannot be written to ${this.#file.path} (${error.code}): actions go on, but whoever rolls the database back from now on is not found out; ` +
          'free space there, or set MODFLEET_AUDIT_SEALS_FILE to another disk',
        error,
      );
    }
  }

  /** False when the database is not the one that the file knows. */
  async #copySeals(): Promise<boolean> {
    for (;;) {
      const last = await this.#file.last();
      const seals = await selectSeals(this.#database, last?.number ?? 1, BATCH);
      const [first, ...rest] = seals;
      const fresh = last === undefined ? seals : rest;
      if (last !== undefined && (first === undefined || !sealHash(first).equals(sealHash(last)))) {
        await this.#rolledBack(last, first);
        return false;
      }
      this.#alarms.clear('rolled_back');
      if (fresh.length === 0) return true;
      await this.#file.append(fresh.map(sealLine).join(''), fresh.at(-1));
      for (const seal of fresh) this.#noteRanges(seal);
      if (seals.length < BATCH) return true;
    }
  }

  async #rolledBack(last: Seal, found: Seal | undefined): Promise<void> {
    const newest = (await selectLastSeal(this.#database))?.number ?? 0;
    const what =
      found === undefined || found.number !== last.number
        ? `the database ends at seal ${newest}, and seal ${last.number} of ${new Date(last.atMs).toISOString()} was exported`
        : `seal ${last.number} in the database is another one than was exported`;
    this.#alarms.raise(
      'rolled_back',
      `${what}: the database was rolled back, or its end was cut. Nothing more is exported to ${this.#file.path}. See docs/audit.md, "After a restore"`,
    );
  }

  #noteRanges(seal: Seal): void {
    for (const { replicaId, lane, to } of parseRanges(seal.ranges) ?? [])
      if (replicaId === this.#replicaId) this.#note(lane, to);
  }

  #note(lane: number, to: number): void {
    this.#exportedTo.set(lane, Math.max(to, this.#exportedTo.get(lane) ?? 0));
  }

  /** Says of rows that no exported seal covers that they are there; that is seldom: where sealing is late. */
  async #writeHeads(heads: readonly Lane[], nowMs: number): Promise<void> {
    const open = heads.filter(({ lane, head }) => head > (this.#exportedTo.get(lane) ?? 0));
    if (open.length === 0) return;
    await this.#file.append(headsLine(this.#replicaId, nowMs, open), undefined);
    for (const { lane, head } of open) this.#note(lane, head);
  }
}

/** Errors of the file system name a system call; what Postgres and its sockets throw has been explained by DatabaseService, and names none. */
function isFileError(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && typeof syscall === 'string';
}
