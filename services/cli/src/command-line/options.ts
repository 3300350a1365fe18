import { Option } from 'commander';
import type { JsonOption } from '../output/json-fields.ts';
import { EXPORT_FORMATS, type ExportFormat } from '../output/export-formats.ts';
import { duration, type DurationRange, oneOf, pageSize, selector } from './values.ts';
import { moment } from './moment.ts';

/** Options of every command that prints a list. */
export interface ListOptions {
  readonly json?: JsonOption;
  readonly limit?: number;
  readonly allPages?: boolean;
}

/** Options of lists that are also given whole. */
export interface ExportOptions {
  readonly output?: ExportFormat;
}

/** Options of every command that narrows by hosts. */
export interface SelectorOptions {
  readonly selector?: string;
  readonly includeUnknown?: boolean;
}

export const jsonOption = () =>
  new Option('--json [fields]', 'print JSON with these fields (with commas); without fields: list them');
export const limitOption = () =>
  new Option('--limit <n>', 'rows at most, 1 to 1000 (default: 100)').argParser(pageSize);
export const allPagesOption = () => new Option('--all-pages', 'every row, page after page').conflicts('limit');
/** A list whole, as a stream. */
export const outputOption = () =>
  new Option('--output <format>', 'every row to stdout as it comes: csv, or ndjson (one JSON object a line)')
    .argParser(oneOf('--output', EXPORT_FORMATS))
    .conflicts(['json', 'limit', 'allPages']);
export const selectorOption = () =>
  new Option('-l, --selector <selector>', 'only hosts that match (help: modfleet help selectors)').argParser(selector);
export const includeUnknownOption = () =>
  new Option('--include-unknown', 'also hosts of which a fact in the selector is not known now');

/** `--at`: a time in the past. */
export const atOption = (description: string) =>
  new Option('--at <time>', `${description}: so long ago (30m, 2h, 3d), or a date and time with its zone`).argParser(
    (text) => moment('--at', text),
  );

/** An option that takes a time within a range; a refusal calls it by its long name. */
export function durationOption(flags: string, description: string, range: DurationRange): Option {
  const option = new Option(flags, description);
  return option.argParser((text) => duration(option.long ?? flags, text, range));
}
