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
}

const GAP = 2;
/** A column is never cut below this: less says nothing. */
const NARROWEST = 8;

/** Rows for a pipe: tabs, no head, nothing cut. */
export function renderTabs<R>(columns: readonly Column<R>[], rows: readonly R[]): string {
  return rows.map((row) => `${columns.map((column) => clean((column.raw ?? column.cell)(row))).join('\t')}\n`).join('');
}

/** Rows for a terminal: head, aligned columns, cut to its width. */
export function renderTable<R>(
  columns: readonly Column<R>[],
  rows: readonly R[],
  width: number | undefined,
  colors: Colors,
  indent = '',
): string {
  const shown = columns.filter((column) => !column.hideEmpty || rows.some((row) => column.cell(row) !== ''));
  const cells = rows.map((row) => shown.map((column) => clean(column.cell(row))));
  const widths = shown.map((column, at) =>
    Math.max(displayWidth(column.head), ...cells.map((row) => displayWidth(row[at] ?? ''))),
  );
  if (width !== undefined) fit(shown, widths, width - indent.length);
  const line = (texts: readonly string[], paint: (at: number) => (text: string) => string) =>
    indent +
    texts
      .map((text, at) => {
        const cut = truncate(text, widths[at] ?? 0);
        const padding = at === texts.length - 1 ? '' : ' '.repeat((widths[at] ?? 0) - displayWidth(cut) + GAP);
        return (cut === '' ? '' : paint(at)(cut)) + padding;
      })
      .join('')
      .trimEnd() +
    '\n';
  const head = line(
    shown.map((column) => column.head),
    () => colors.bold,
  );
  const body = cells.map((texts, index) =>
    line(texts, (at) => {
      const row = rows[index];
      const color = shown[at]?.color;
      return color && row !== undefined ? color(colors, row) : (text) => text;
    }),
  );
  return head + body.join('');
}

/** Takes columns' width away until the line fits, or nothing more can be cut. Changes `widths`. */
function fit<R>(columns: readonly Column<R>[], widths: number[], available: number): void {
  const order = columns.map((column, at) => ({ at, shrink: column.shrink ?? 0 })).filter((entry) => entry.shrink > 0);
  order.sort((a, b) => b.shrink - a.shrink);
  let excess = widths.reduce((sum, each) => sum + each, 0) + GAP * (widths.length - 1) - available;
  for (const { at } of order) {
    if (excess <= 0) return;
    const width = widths[at] ?? 0;
    const taken = Math.min(excess, Math.max(0, width - NARROWEST));
    widths[at] = width - taken;
    excess -= taken;
  }
}
