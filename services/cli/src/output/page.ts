import type { Freeze } from '@modfleet/server/api-types';
import type { Io } from '../io.ts';
import { clean } from './clean.ts';
import { colorsFor } from './style.ts';
import { renderTable, renderTabs, type Column } from './table.ts';
import { clock } from './time.ts';

/** Says on stderr that the fleet is frozen: every answer carries it. */
export function noteFreeze(freeze: Freeze, io: Io): void {
  if (freeze === null) return;
  const colors = colorsFor(io, io.err);
  const since = clock(freeze.at, io.now(), io.timeZone);
  io.err.write(
    `${colors.yellow('The fleet is frozen')} by ${clean(freeze.by)} since ${since}: ${clean(freeze.reason)}\n`,
  );
  io.err.write('  No action is dispatched until it is lifted: modfleet thaw\n');
}

/** Prints rows: a table for a terminal, tabs without a head for a pipe. */
export function printRows<R>(io: Io, columns: readonly Column<R>[], rows: readonly R[]): void {
  if (rows.length === 0) return;
  const { out } = io;
  out.write(out.isTty ? renderTable(columns, rows, out.columns, colorsFor(io, out)) : renderTabs(columns, rows));
}

/** "key  value" lines, aligned; entries without a value are left out. */
export function renderFields(entries: readonly (readonly [string, string | null | undefined])[], indent = ''): string {
  const shown = entries.filter(
    (entry): entry is [string, string] => entry[1] !== null && entry[1] !== undefined && entry[1] !== '',
  );
  const width = Math.max(0, ...shown.map(([key]) => key.length));
  return shown.map(([key, value]) => `${indent}${key.padEnd(width)}  ${clean(value)}\n`).join('');
}

/** A block "Next:" of commands to type, each with what it is for. */
export function renderNext(entries: readonly (readonly [what: string, command: string])[]): string {
  if (entries.length === 0) return '';
  const width = Math.max(...entries.map(([what]) => what.length));
  return `\nNext:\n${entries.map(([what, command]) => `  ${`${what}:`.padEnd(width + 1)}  ${clean(command)}\n`).join('')}`;
}
