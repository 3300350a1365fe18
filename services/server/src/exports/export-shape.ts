import type { HostScope } from '../access/host-scope.ts';
import { csvRecord, type CsvValue } from './csv.ts';
import type { ExportFormat } from './export-format.ts';

/** Rows of a page at most: what one export holds in memory at a time. */
export const EXPORT_PAGE = 1_000;

/** Columns in the order of the file; their names are the fields' paths in JSON. New ones are added at the end. */
export type ExportColumns<Item> = readonly (readonly [name: string, cell: (item: Item) => CsvValue])[];

/** One step of a walk through a list. */
export interface ExportPage<Item> {
  readonly items: readonly Item[];
  /** Where the next page begins; null: that was all. */
  readonly next: readonly (string | number)[] | null;
}

/** A list that can be given whole. */
export interface ExportList<Item> {
  readonly columns: ExportColumns<Item>;
  /** The page after `after` (null: the first), of hosts in scope. Each is a short transaction of its own. */
  page(after: readonly (string | number)[] | null, scope: HostScope): Promise<ExportPage<Item>>;
}

/** What stands before the first row. */
export function exportHead<Item>(format: ExportFormat, columns: ExportColumns<Item>): string {
  return format === 'csv' ? csvRecord(columns.map(([name]) => name)) : '';
}

export function exportRows<Item>(format: ExportFormat, columns: ExportColumns<Item>, items: readonly Item[]): string {
  if (format === 'ndjson') return items.map((item) => `${JSON.stringify(item)}\n`).join('');
  return items.map((item) => csvRecord(columns.map(([, cell]) => cell(item)))).join('');
}
