import { clean } from './clean.ts';
import type { Colors } from './style.ts';
import { displayWidth, truncate } from './width.ts';

/** One column of a table of rows `R`. */
export interface Column<R> {
  /** Head on a terminal; upper case. */
  readonly head: string;
  /** Cell for a terminal. */
  cell(row: R): string;
  /** Cell for a pipe, where it differs: whole and absolute (a full id, an ISO time). */
  readonly raw?: (row: R) => string;
  /** Colour of the cell. */
  readonly color?: (colors: Colors, row: R) => (text: string) => string;
  /** May be cut when the terminal is narrow; the most patient (highest) first. 0 or absent: never. */
  readonly shrink?: number;
  /** Left out on a terminal when every cell is empty. Never left out of a pipe: columns keep their places. */
  readonly hideEmpty?: boolean;
  /** For pipes only. */
  readonly pipeOnly?: boolean;
}

const GAP = 2;
/** A column is never cut below this: less says nothing. */
const NARROWEST = 8;

/** Rows for a pipe: tabs, no head, nothing cut. */
export function renderTabs<R>(columns: readonly Column<R>[], rows: readonly R[]): string {
  return rows.map((row) => `${columns.map((column) => clean((column.raw ?? column.cell)(row))).join('\t')}\n`).join('');
}

/** Rows for a terminal: head, aligned columns, cut to its width. Columns that find no room at all are named below the table. */
export function renderTable<R>(
  columns: readonly Column<R>[],
  rows: readonly R[],
  width: number | undefined,
  colors: Colors,
  indent = '',
): string {
  const used = columns.filter(
    (column) => !column.pipeOnly && (!column.hideEmpty || rows.some((row) => column.cell(row) !== '')),
  );
  const { shown, left } = fit(
    used.map((column) => measure(column, rows)),
    width === undefined ? Infinity : width - indent.length,
  );
  const line = (texts: readonly string[], paint: (at: number) => (text: string) => string) => {
    const cells = texts.map((text, at) => {
      const columnWidth = shown[at]?.width ?? 0;
      const cut = truncate(text, columnWidth);
      const padding = at === texts.length - 1 ? '' : ' '.repeat(columnWidth - displayWidth(cut) + GAP);
      return (cut === '' ? '' : paint(at)(cut)) + padding;
    });
    return `${indent}${cells.join('').trimEnd()}\n`;
  };
  const head = line(
    shown.map(({ column }) => column.head),
    () => colors.bold,
  );
  const body = rows.map((row, index) =>
    line(
      shown.map(({ cells }) => cells[index] ?? ''),
      (at) => shown[at]?.column.color?.(colors, row) ?? ((text) => text),
    ),
  );
  const missing =
    left.length === 0 ? '' : colors.dim(`${indent}No room for: ${left.map(({ column }) => column.head).join(', ')}\n`);
  return head + body.join('') + missing;
}

interface Measured<R> {
  readonly column: Column<R>;
  readonly cells: readonly string[];
  width: number;
}

function measure<R>(column: Column<R>, rows: readonly R[]): Measured<R> {
  const cells = rows.map((row) => clean(column.cell(row)));
  return { column, cells, width: Math.max(displayWidth(column.head), ...cells.map(displayWidth)) };
}

/** Cuts patient columns until the line fits; where that is not enough, the most patient ones are left out. */
function fit<R>(measured: readonly Measured<R>[], available: number): { shown: Measured<R>[]; left: Measured<R>[] } {
  const shown = [...measured];
  const left: Measured<R>[] = [];
  const excess = () => shown.reduce((sum, { width }) => sum + width, 0) + GAP * (shown.length - 1) - available;
  const patient = measured
    .filter(({ column }) => (column.shrink ?? 0) > 0)
    .sort((a, b) => (b.column.shrink ?? 0) - (a.column.shrink ?? 0));
  const least = patient.reduce((sum, { width }) => sum + Math.max(0, width - NARROWEST), 0);
  let unfit = excess() - least;
  for (const victim of patient.slice(0, -1)) {
    if (unfit <= 0) break;
    unfit -= Math.min(victim.width, NARROWEST) + GAP;
    shown.splice(shown.indexOf(victim), 1);
    left.push(victim);
  }
  for (const victim of patient) {
    if (excess() <= 0) break;
    if (left.includes(victim)) continue;
    victim.width -= Math.min(excess(), Math.max(0, victim.width - NARROWEST));
  }
  return { shown, left };
}
