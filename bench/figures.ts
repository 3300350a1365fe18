/** One thing that was measured. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The most that it may be; null where nothing is promised. */
  readonly reach: number | null;
  /** null without a reach. */
  readonly holds: boolean | null;
  /** How it came about: runs, spread. */
  readonly note: string;
}

/** `digits` behind the point are kept, and judged. */
export function figure(
  name: string,
  value: number,
  unit: string,
  reach: number | null,
  note: string,
  digits = 2,
): Figure {
  const rounded = Number(value.toFixed(digits));
  return { name, value: rounded, unit, reach, holds: reach === null ? null : rounded <= reach, note };
}

/** A table for the screen. */
export function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, value, unit, reach, holds, note }) => [
    name,
    `${value} ${unit}`,
    reach === null ? '-' : `${reach} ${unit}`,
    holds === null ? '-' : holds ? 'yes' : 'NO',
    note,
  ]);
  const all = [['figure', 'measured', 'reach', 'holds', ''], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
