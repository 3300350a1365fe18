import type { KeyObject } from 'node:crypto';
import type { SealedRow } from './audit.model.ts';
import { rowName } from './audit.model.ts';
import { MerkleRoot } from './merkle.ts';
import { rowBytes, rowLeaf, rowMac, targetRoot } from './row-bytes.ts';
import { laneName, NO_SEAL, parseRanges, type Seal, type SealedRange, sealHash } from './seal.model.ts';
import type { SealVerifier } from './seal-key.ts';
import type { Problems } from './verify.model.ts';

/**
 * Checks seals and rows as they come, in order; holds one number a lane.
 *
 * INVARIANTS
 * - Pure: reads nothing but what it is given, decides nothing but what is wrong.
 * - Every row is checked once, against its mac; every seal against its signature, the seal before, and its rows.
 * - A range that no seal covers although seals around it are there is looked at, too ({@link uncovered}).
 */

/** More rows than any seal has; a seal that names more was changed. */
const MOST_ROWS = 1_000_000;

export class SealChain {
  readonly #problems: Problems;
  readonly #verifier: SealVerifier;
  readonly #macKey: KeyObject | null;
  readonly #sealedTo = new Map<string, number>();
  #previous: Seal | undefined;
  /** False once a seal is missing or was changed: then a gap says nothing about the rows in it. */
  #sound = true;
  /** Ranges between sealed ones that no seal covers. */
  readonly uncovered: SealedRange[] = [];
  sealedRows = 0;
  unsealedRows = 0;
  seals = 0;

  /** @param macKey null: macs are not checked. */
  constructor(problems: Problems, verifier: SealVerifier, macKey: KeyObject | null) {
    this.#problems = problems;
    this.#verifier = verifier;
    this.#macKey = macKey;
  }

  get lastSeal(): Seal | undefined {
    return this.#previous;
  }

  /** The last number of the lane that a seal covers. */
  sealedTo(lane: { readonly replicaId: string; readonly lane: number }): number {
    return this.#sealedTo.get(laneName(lane)) ?? 0;
  }

  /** Takes the next seal. @returns the ranges whose rows {@link sealRows} wants. */
  seal(seal: Seal): SealedRange[] {
    const at = { seal: seal.number };
    this.seals += 1;
    const expected = (this.#previous?.number ?? 0) + 1;
    if (seal.number > expected) {
      this.#sound = false;
      this.#problems.add('seal_missing', `seal ${numbers(expected, seal.number - 1)} is missing`, { seal: expected });
    } else if (!seal.previous.equals(this.#previous === undefined ? NO_SEAL : sealHash(this.#previous)))
      this.#problems.add('seal_order', `seal ${seal.number} does not follow seal ${expected - 1} as it is now`, at);
    if (!this.#verifier.proves(seal)) {
      this.#sound = false;
      this.#problems.add('seal_changed', `seal ${seal.number} does not agree with its signature`, at);
    }
    this.#previous = seal;
    const ranges = parseRanges(seal.ranges);
    const rows = (ranges ?? []).reduce((sum, { from, to }) => sum + to - from + 1, 0);
    if (ranges === undefined || rows !== seal.rowCount || rows > MOST_ROWS) {
      this.#sound = false;
      this.#problems.add('seal_changed', `seal ${seal.number} does not say which rows it covers`, at);
      return [];
    }
    return ranges.filter((range) => this.#follows(seal, range));
  }

  #follows(seal: Seal, range: SealedRange): boolean {
    const name = laneName(range);
    const expected = this.sealedTo(range) + 1;
    if (range.from < expected) {
      const text = `seal ${seal.number} covers row ${name}.${range.from}, which an earlier seal covers`;
      this.#problems.add('seal_changed', text, { seal: seal.number });
      return false;
    }
    if (range.from > expected) this.uncovered.push({ ...range, from: expected, to: range.from - 1 });
    if (range.from > expected && this.#sound) {
      const text = `row ${name}.${numbers(expected, range.from - 1)} was removed before seal ${seal.number} was made`;
      this.#problems.add('row_missing', text, { row: `${name}.${expected}`, seal: seal.number });
    }
    this.#sealedTo.set(name, range.to);
    return true;
  }

  /** Checks the rows of a seal. @param rows of its ranges, in their order, as far as they are there. */
  sealRows(seal: Seal, ranges: readonly SealedRange[], rows: readonly SealedRow[]): void {
    const before = this.#problems.count;
    const root = new MerkleRoot();
    let next = 0;
    for (const range of ranges)
      for (let number = range.from; number <= range.to; number += 1) {
        const row = rows[next];
        const name = rowName({ ...range, number });
        if (row === undefined || row.number !== number || laneName(row) !== laneName(range)) {
          this.#problems.add('row_missing', `row ${name}, which seal ${seal.number} covers, is missing`, {
            row: name,
            seal: seal.number,
          });
          // A damaged range may name more numbers than there can be rows: one sentence is enough.
          if (row === undefined || laneName(row) !== laneName(range) || row.number > range.to) break;
          continue;
        }
        next += 1;
        root.add(this.#row(row, seal.number));
      }
    if (next < rows.length) this.#twice(rows.slice(next), seal.number);
    this.sealedRows += next;
    const agrees = root.count === seal.rowCount && root.digest().equals(seal.root);
    if (!agrees && this.#problems.count === before)
      this.#problems.add('seal_mismatch', `the rows of seal ${seal.number} are not the ones that it was made over`, {
        seal: seal.number,
      });
  }

  #twice(rows: readonly SealedRow[], seal: number | undefined): void {
    for (const row of rows)
      this.#problems.add('row_foreign', `row ${rowName(row)} is there more than once, or out of its place`, {
        row: rowName(row),
        ...(seal === undefined ? {} : { seal }),
      });
  }

  /** Checks what is there of a range of {@link uncovered}. @param rows of the range, in order. */
  uncoveredRows(range: SealedRange, rows: readonly SealedRow[]): void {
    if (this.#sound) {
      for (const row of rows)
        this.#problems.add('row_foreign', `row ${rowName(row)} was not there when the rows around it were sealed`, {
          row: rowName(row),
        });
      return;
    }
    const next = this.unsealed(rows, range.from);
    if (next > range.to) return;
    const row = `${laneName(range)}.${next}`;
    this.#problems.add(
      'row_missing',
      `row ${laneName(range)}.${numbers(next, range.to)} is missing, and its seal too`,
      { row },
    );
  }

  /** Checks rows of one lane that no seal covers, in order, from the last sealed one on. @param expected number of the first. @returns the number after the last. */
  unsealed(rows: readonly SealedRow[], expected: number): number {
    let next = expected;
    for (const row of rows) {
      this.unsealedRows += 1;
      this.#row(row, undefined);
      if (row.number > next) {
        const text = `row ${laneName(row)}.${numbers(next, row.number - 1)} is missing, and was not sealed yet`;
        this.#problems.add('row_missing', text, { row: `${laneName(row)}.${next}` });
      } else if (row.number < next) this.#twice([row], undefined);
      next = Math.max(next, row.number + 1);
    }
    return next;
  }

  /** @returns the row's leaf. */
  #row(row: SealedRow, seal: number | undefined): Buffer {
    const bytes = rowBytes(row);
    const at = { row: rowName(row), ...(seal === undefined ? {} : { seal }) };
    if (this.#macKey !== null && !rowMac(this.#macKey, bytes).equals(row.mac))
      this.#problems.add(
        'row_changed',
        `row ${at.row} does not agree with its mac: it was changed, or is not the server's`,
        at,
      );
    else if (row.hostIds.length !== row.targetCount || !targetRoot(row.hostIds).equals(row.targetRoot))
      this.#problems.add('row_changed', `row ${at.row} names other hosts than its root is of`, at);
    return rowLeaf(row, bytes);
  }
}

function numbers(from: number, to: number): string {
  return from === to ? String(from) : `${from} to ${to}`;
}
