import { createHash, type KeyObject } from 'node:crypto';
import { isUnavailable } from '../database/database.errors.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { withoutSecrets } from '../logging/logger.ts';
import { canonicalJson } from '../idempotency/body-digest.ts';
import type { AuditDecision, AuditRow, AuditSource, SealedRow } from './audit.model.ts';
import { insertLane, insertRows, type SharedColumns } from './audit.queries.ts';
import { type Lane, Lanes } from './lanes.ts';
import { rowBytes, rowMac, targetRoot } from './row-bytes.ts';

/** Whose rows these are, and what time it is there: ms since the epoch, by Postgres's clock. */
export interface AuditClock {
  readonly id: string;
  nowMs(): number;
}

/** The lane of a transaction, and how many rows it has put there. */
interface Taken {
  readonly lane: Lane;
  written: number;
}

/**
 * Writes the audit log.
 *
 * INVARIANTS
 * - A row is written in the transaction of what it allows: both are there or neither. Outside a transaction nothing can be recorded.
 * - A row that cannot be written fails the whole transaction: no audit row, no action. Nobody may catch that and go on.
 * - Numbers: see {@link Lanes}.
 */
export class AuditService {
  readonly #database: DatabaseService;
  readonly #clock: AuditClock;
  readonly #key: KeyObject;
  readonly #lanes = new Lanes();
  readonly #taken = new WeakMap<Sql, Taken>();

  /** @param key sealing key of purpose `audit`. */
  constructor(database: DatabaseService, clock: AuditClock, key: KeyObject) {
    this.#database = database;
    this.#clock = clock;
    this.#key = key;
  }

  /** The last numbers of this process's lanes that have committed. */
  heads(): readonly Lane[] {
    return this.#lanes.heads();
  }

  /**
   * Records decisions in the caller's transaction.
   *
   * @param sql a transaction of {@link DatabaseService.tx}; the pool is refused.
   */
  record(sql: Sql, source: AuditSource, ...decisions: readonly AuditDecision[]): Promise<void> {
    return this.recordEach(
      sql,
      decisions.map((decision) => ({ source, decision })),
    );
  }

  /** The same of decisions of several: hosts that join at the same time, say. */
  async recordEach(
    sql: Sql,
    decisions: readonly { readonly source: AuditSource; readonly decision: AuditDecision }[],
  ): Promise<void> {
    if (decisions.length === 0) return;
    const taken = this.#take(sql);
    const { lane, head } = taken.lane;
    const first = head + taken.written + 1;
    const shared = { replicaId: this.#clock.id, lane, atMs: this.#clock.nowMs() };
    const rows = decisions.map(({ source, decision }, index) =>
      this.#sealed({ ...shared, ...sourceColumns(source), number: first + index, ...decisionColumns(decision) }),
    );
    // Before the statement: whatever becomes of it, no other call of this transaction takes the same numbers.
    taken.written += rows.length;
    try {
      if (first === 1) await insertLane(sql, this.#clock.id, lane);
      await insertRows(sql, shared, rows);
    } catch (error) {
      if (isUnavailable(error)) throw error;
      throw new AppError(
        'audit_unavailable',
        'the audit log cannot be written, and without its row nothing is done: nothing was changed; the server’s log says why, under this request id',
        {},
        error,
      );
    }
  }

  /** Records what has no transaction of its own: a refusal, a read. Throws when it cannot. */
  async recordAlone(source: AuditSource, ...decisions: readonly AuditDecision[]): Promise<void> {
    await this.#database.tx('READ COMMITTED', (sql) => this.record(sql, source, ...decisions));
  }

  #take(sql: Sql): Taken {
    const known = this.#taken.get(sql);
    if (known !== undefined) return known;
    const taken: Taken = { lane: this.#lanes.take(), written: 0 };
    try {
      this.#database.onEnd(sql, (end) => this.#lanes.release(taken.lane, taken.written, end));
    } catch (error) {
      this.#lanes.release(taken.lane, 0, 'rolled_back');
      throw error;
    }
    this.#taken.set(sql, taken);
    return taken;
  }

  #sealed(row: AuditRow): SealedRow {
    return { ...row, mac: rowMac(this.#key, rowBytes(row)) };
  }
}

type SourceColumns = Pick<
  AuditRow,
  'actorKind' | 'actorId' | 'actorName' | 'via' | 'address' | 'requestId' | 'keyDigest'
>;

function sourceColumns(source: AuditSource): SourceColumns {
  return {
    actorKind: source.actor.kind,
    actorId: clean(source.actor.id),
    actorName: storable(source.actor.name),
    via: source.via,
    address: clean(source.address),
    requestId: clean(source.requestId),
    keyDigest: source.idempotencyKey === null ? null : createHash('sha256').update(source.idempotencyKey).digest(),
  };
}

function decisionColumns(
  decision: AuditDecision,
): Omit<AuditRow, keyof SharedColumns | keyof SourceColumns | 'number'> {
  const hostIds = [...new Set(decision.hosts ?? [])].sort();
  return {
    what: decision.what,
    object: clean(decision.object),
    kmod: clean(decision.kmod),
    selector: clean(decision.selector),
    targetCount: hostIds.length,
    targetRoot: targetRoot(hostIds),
    hostIds,
    reason: clean(decision.reason),
    details: decision.details === undefined ? null : storable(canonicalJson(decision.details)),
    outcome: decision.outcome ?? 'allowed',
  };
}

function clean(text: string | null | undefined): string | null {
  return text === null || text === undefined ? null : storable(text);
}

/**
 * Postgres stores no NUL, and no half of a surrogate pair: what is stored has to be what the mac was made of. A token that somebody put in the wrong place
 * would stay for ever.
 */
function storable(text: string): string {
  const whole = text.includes('\0') ? text.replaceAll('\0', '\u{FFFD}') : text;
  return withoutSecrets(whole.toWellFormed());
}
