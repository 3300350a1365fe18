/**
 * Seals the audit log.
 *
 * INVARIANTS
 * - One seal at a time, over all replicas: its transaction holds the lease's row. (The table's primary key would refuse a second seal of one number.)
 * - A seal and the lanes' progress are one transaction: no row is left out, none is sealed twice.
 * - A row that is gone before its seal leaves a gap in the ranges: it is said, and every verification finds it.
 */
import { setImmediate } from 'node:timers/promises';
import type { DatabaseService, Sql } from '../database/database.service.ts';
import type { SealedRow } from './audit.model.ts';
import { MerkleRoot } from './merkle.ts';
import { rowLeaf } from './row-bytes.ts';
import { laneName, NO_SEAL, rangesOf, rangesText, type Seal, type SealedRange, sealHash } from './seal.model.ts';
import type { SealSigner } from './seal-key.ts';
import {
  insertSeal,
  selectLastSeal,
  selectSealedTo,
  selectUnsealedRows,
  takeLease,
  updateLanes,
} from './seal.queries.ts';

/** Rows in one seal: a few MB, a tenth of a second. */
const ROWS_PER_SEAL = 10_000;
/** Rows hashed in one turn of the event loop: about 10 ms. */
const ROWS_PER_TURN = 500;
/** Five missed rounds; then another replica seals. */
const LEASE_SECONDS = 5;

export interface SealRound {
  /** False: another replica seals. */
  readonly mine: boolean;
  readonly rows: number;
  /** Rows that are missing before the ones that were sealed, in words. */
  readonly gaps: readonly string[];
}

export class Sealer {
  readonly #database: DatabaseService;
  readonly #replicaId: string;
  readonly #signer: SealSigner;

  constructor(database: DatabaseService, replicaId: string, signer: SealSigner) {
    this.#database = database;
    this.#replicaId = replicaId;
    this.#signer = signer;
  }

  /** Seals what there is, if this replica holds the lease or gets it. */
  async round(): Promise<SealRound> {
    let rows = 0;
    const gaps: string[] = [];
    for (;;) {
      const one = await this.#database.tx('READ COMMITTED', (sql) => this.#one(sql));
      if (one === undefined) return { mine: false, rows, gaps };
      rows += one.rows;
      gaps.push(...one.gaps);
      if (one.rows < ROWS_PER_SEAL) return { mine: true, rows, gaps };
    }
  }

  async #one(sql: Sql): Promise<{ rows: number; gaps: string[] } | undefined> {
    const lease = await takeLease(sql, this.#replicaId, LEASE_SECONDS);
    if (lease === undefined) return undefined;
    const rows = await selectUnsealedRows(sql, ROWS_PER_SEAL);
    if (rows.length === 0) return { rows: 0, gaps: [] };
    const ranges = rangesOf(rows);
    const before = await selectSealedTo(sql, ranges);
    const last = await selectLastSeal(sql);
    const root = await rootOf(rows);
    await insertSeal(sql, this.#signer.sign({ ...unsigned(rows, ranges, root, last), ...this.#made(lease) }));
    await updateLanes(sql, ranges);
    return { rows: rows.length, gaps: gapsIn(ranges, before) };
  }

  #made({ term, nowMs }: { readonly term: number; readonly nowMs: number }): Pick<Seal, 'term' | 'atMs' | 'replicaId'> {
    return { term, atMs: nowMs, replicaId: this.#replicaId };
  }
}

/** Lets others have their turn now and then: ten thousand rows are a tenth of a second. */
async function rootOf(rows: readonly SealedRow[]): Promise<Buffer> {
  const root = new MerkleRoot();
  for (const row of rows) {
    root.add(rowLeaf(row));
    if (root.count % ROWS_PER_TURN === 0) await setImmediate();
  }
  return root.digest();
}

function unsigned(
  rows: readonly SealedRow[],
  ranges: readonly SealedRange[],
  root: Buffer,
  last: Seal | undefined,
): Pick<Seal, 'number' | 'ranges' | 'rowCount' | 'root' | 'previous'> {
  return {
    number: (last?.number ?? 0) + 1,
    ranges: rangesText(ranges),
    rowCount: rows.length,
    root,
    previous: last === undefined ? NO_SEAL : sealHash(last),
  };
}

/** Numbers that are not there between what was sealed and what is. */
export function gapsIn(
  ranges: readonly SealedRange[],
  before: readonly { readonly replicaId: string; readonly lane: number; readonly sealedTo: number }[],
): string[] {
  const sealedTo = new Map(before.map((lane) => [laneName(lane), lane.sealedTo]));
  return ranges.flatMap((range) => {
    const expected = (sealedTo.get(laneName(range)) ?? 0) + 1;
    sealedTo.set(laneName(range), range.to);
    if (range.from <= expected) return [];
    return [`${laneName(range)}.${expected}${range.from - 1 > expected ? ` to ${range.from - 1}` : ''}`];
  });
}
