/**
 * Checks the whole audit log in one snapshot, in batches: memory does not grow with its length.
 */
import type { KeyObject } from 'node:crypto';
import type { DatabaseService, Sql } from '../database/database.service.ts';
import { type ExportCheck, NO_EXPORT } from './verify-export.ts';
import { laneName, type Seal, type SealedRange } from './seal.model.ts';
import { SealChain } from './seal-chain.ts';
import type { SealVerifier } from './seal-key.ts';
import { selectSeals, selectUnsealed } from './seal.queries.ts';
import { Problems, type VerifyReport } from './verify.model.ts';
import {
  allowLongStatements,
  type LaneCensus,
  type Protection,
  selectCensus,
  selectProtection,
  selectRanges,
} from './verify.queries.ts';

/** Seals read at once. */
const SEALS = 200;
/** Rows read at once, about; a seal is read whole. */
const ROWS = 5_000;

export interface VerifyOptions {
  readonly verifier: SealVerifier;
  /** Null: macs are not checked, which takes the server's own key. */
  readonly macKey: KeyObject | null;
  /** Compares with what was exported. */
  readonly exported?: ExportCheck | undefined;
  readonly onProgress?: ((done: { readonly rows: number; readonly of: number }) => void | Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** @throws DatabaseUnavailableError; AbortError when `signal` says so. */
export function verifyAudit(database: DatabaseService, options: VerifyOptions): Promise<VerifyReport> {
  return database.tx('REPEATABLE READ READ ONLY', (sql) => verifyIn(sql, options));
}

/** The same in the caller's transaction, which has to be REPEATABLE READ. */
export async function verifyIn(sql: Sql, options: VerifyOptions): Promise<VerifyReport> {
  const startedMs = performance.now();
  const problems = new Problems();
  const chain = new SealChain(problems, options.verifier, options.macKey);
  const exported = options.exported ?? NO_EXPORT;
  await allowLongStatements(sql);
  const census = await selectCensus(sql);
  const rows = census.reduce((sum, lane) => sum + lane.rows, 0);
  const progress = async (): Promise<void> => {
    options.signal?.throwIfAborted();
    await options.onProgress?.({ rows: chain.sealedRows + chain.unsealedRows, of: rows });
  };
  await exported.begin(problems, options.verifier);
  await checkSeals(sql, chain, exported, progress);
  for (const range of chain.uncovered) await checkUncovered(sql, chain, range, census);
  for (const lane of census) await checkUnsealed(sql, chain, problems, lane, progress);
  await exported.end(chain.lastSeal, census);
  const { ageMs } = chain.unsealedRows > 0 ? await selectUnsealed(sql) : { ageMs: null };
  return {
    intact: problems.count === 0,
    problems: problems.kept,
    problemCount: problems.count,
    firstBadRow: problems.firstBadRow,
    rows,
    sealedRows: chain.sealedRows,
    unsealedRows: chain.unsealedRows,
    unsealedAgeMs: ageMs === null ? null : Math.round(ageMs),
    seals: chain.seals,
    lastSeal: chain.lastSeal === undefined ? null : { number: chain.lastSeal.number, atMs: chain.lastSeal.atMs },
    exported: exported.summary(),
    macsChecked: options.macKey !== null,
    appendOnly: judged(await selectProtection(sql)),
    durationMs: Math.round(performance.now() - startedMs),
  };
}

async function checkSeals(
  sql: Sql,
  chain: SealChain,
  exported: ExportCheck,
  progress: () => Promise<void>,
): Promise<void> {
  let number = Number.MIN_SAFE_INTEGER;
  for (;;) {
    const seals = await selectSeals(sql, number, SEALS);
    let batch: { seal: Seal; ranges: SealedRange[] }[] = [];
    let rows = 0;
    for (const seal of seals) {
      const ranges = chain.seal(seal);
      await exported.compare(seal);
      batch.push({ seal, ranges });
      rows += ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0);
      if (rows < ROWS) continue;
      await checkRows(sql, chain, batch);
      [batch, rows] = [[], 0];
      await progress();
    }
    await checkRows(sql, chain, batch);
    await progress();
    const last = seals.at(-1);
    if (seals.length < SEALS || last === undefined) return;
    number = last.number + 1;
  }
}

async function checkRows(
  sql: Sql,
  chain: SealChain,
  batch: readonly { seal: Seal; ranges: SealedRange[] }[],
): Promise<void> {
  const rows = await selectRanges(
    sql,
    batch.flatMap(({ ranges }) => ranges),
  );
  let range = 0;
  let next = 0;
  for (const { seal, ranges } of batch) {
    range += ranges.length;
    const first = next;
    while (next < rows.length && (rows[next]?.range ?? range) < range) next += 1;
    chain.sealRows(seal, ranges, rows.slice(first, next));
  }
}

async function checkUncovered(
  sql: Sql,
  chain: SealChain,
  range: SealedRange,
  census: readonly LaneCensus[],
): Promise<void> {
  const last = census.find((lane) => laneName(lane) === laneName(range))?.last ?? 0;
  for (let from = range.from; from <= Math.min(range.to, last); from += ROWS) {
    const part = { ...range, from, to: Math.min(range.to, from + ROWS - 1) };
    chain.uncoveredRows(part, await selectRanges(sql, [part]));
  }
  if (last < range.from) chain.uncoveredRows(range, []);
}

async function checkUnsealed(
  sql: Sql,
  chain: SealChain,
  problems: Problems,
  lane: LaneCensus,
  progress: () => Promise<void>,
): Promise<void> {
  const sealedTo = chain.sealedTo(lane);
  if (lane.first < 1)
    problems.add('row_foreign', `row ${laneName(lane)}.${lane.first} has a number that is never given out`, {
      row: `${laneName(lane)}.${lane.first}`,
    });
  let expected = sealedTo + 1;
  for (let from = sealedTo + 1; from <= lane.last; from += ROWS) {
    const rows = await selectRanges(sql, [{ replicaId: lane.replicaId, lane: lane.lane, from, to: from + ROWS - 1 }]);
    expected = chain.unsealed(rows, expected);
    await progress();
  }
}

function judged(may: Protection): VerifyReport['appendOnly'] {
  const why = [
    may.superuser ? `the server's role ${may.role} is a superuser` : '',
    !may.superuser && (may.ownsTables || may.ownsSchema) ? `the server's role ${may.role} owns the audit log` : '',
    may.mayChange && !may.superuser && !may.ownsTables ? `the server's role ${may.role} may change the audit log` : '',
    may.triggersOff ? 'the triggers that refuse changes are off' : '',
  ].filter((each) => each !== '');
  if (why.length === 0) return { enforced: true, why: `the server's role ${may.role} may only read and append` };
  return { enforced: false, why: why.join('; ') };
}
