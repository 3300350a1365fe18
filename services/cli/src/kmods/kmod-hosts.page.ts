import type { KmodHost, KmodHostList } from '@modfleet/server/api-types';
import type { Io } from '../io.ts';
import { clean } from '../output/clean.ts';
import { renderNext } from '../output/page.ts';
import { colorsFor } from '../output/style.ts';
import { renderTable } from '../output/table.ts';
import { exactClock } from '../output/time.ts';
import { count, hostWord, list, shellWord } from '../output/words.ts';
import { wrap } from '../output/width.ts';
import { blockLines } from './blocks.ts';
import { buildLines, differingLine } from './builds.ts';
import { coverageLine, headline, selectorUnknownLine } from './headline.ts';
import { knownColumns, unknownLines } from './kmod-host-columns.ts';

/** What was asked, as typed. */
export interface Asked {
  readonly selector: string | undefined;
  /** True when rows that were not asked for are left out of the tables (default presences). */
  readonly narrowed: boolean;
}

/** The page of the mission: which hosts run this kmod. */
export function renderKmodHosts(answer: KmodHostList, asked: Asked, io: Io): string {
  const colors = colorsFor(io, io.out);
  const now = io.now();
  const width = io.out.columns;
  const known = answer.items.filter((row) => row.known);
  const unknown = answer.items.filter((row) => !row.known);
  const parts = [
    headlineOf(answer, asked, io)
      .map((line) => `${colors.bold(line)}\n`)
      .join(''),
    resolvedLine(answer),
    answer.selectorUnknown > 0 ? `${selectorUnknownLine(answer.selectorUnknown)}\n` : '',
    colors.dim(`${coverageLine(answer.coverage, exactClock(answer.asOf, now, io.timeZone))}\n`),
  ];
  if (known.length > 0) parts.push('\n', renderTable(knownColumns(), known, width, colors));
  const partial = answer.nextCursor === null ? '' : ' on the hosts above';
  parts.push(
    section(`Several builds are loaded${partial}:`, buildLines(known), width),
    section('', differingLine(known), width),
    section(`Blocked${partial}; what is loaded stays until it is unloaded:`, blockLines(known), width),
  );
  const unknownHead = `Unknown: ${count(unknown.length, 'host')}. What was last said may no longer hold.`;
  parts.push(section(unknownHead, unknownLines(unknown, now, io.timeZone), width));
  if (answer.nextCursor !== null)
    parts.push(`\nThese are the first ${count(answer.items.length, 'host')}; the sentence above counts all.\n`);
  return parts.join('') + renderNext(nextCommands(answer, asked));
}

/** The sentence, cut into lines that fit. */
export function headlineOf(answer: KmodHostList, asked: Asked, io: Io): string[] {
  const unknownRows = answer.items.filter((row) => !row.known);
  return wrap(
    clean(headline({ ...answer, unknownRows, selector: asked.selector }, io.now(), io.timeZone)),
    io.out.columns,
  );
}

function resolvedLine(answer: KmodHostList): string {
  const others =
    answer.candidates && answer.candidates.length > 0 ? ` It also stands for ${list(answer.candidates)}.` : '';
  if (answer.resolvedBy === 'name') return '';
  return `${clean(`${answer.requested} is ${answer.resolvedBy === 'alias' ? 'an alias' : 'a driver'} of ${answer.name}.${others}`)}\n`;
}

function section(head: string, lines: readonly string[], width: number | undefined): string {
  if (lines.length === 0) return '';
  const body = lines
    .flatMap((line) => wrap(clean(line), width === undefined ? undefined : width - 2, '  '))
    .map((line) => `  ${line}\n`);
  return `\n${head === '' ? '' : `${head}\n`}${body.join('')}`;
}

function nextCommands(answer: KmodHostList, asked: Asked): [string, string][] {
  const { name, counts, coverage } = answer;
  const only = asked.selector === undefined ? '' : ` -l ${shellWord(asked.selector)}`;
  if (coverage.total === 0)
    return asked.selector === undefined
      ? [['let a host join', 'modfleet join-tokens create']]
      : [['see all hosts', 'modfleet hosts list']];
  const first = (presence: KmodHost['presence']) =>
    answer.items.find((row) => row.known && row.presence === presence)?.host;
  const loaded = first('loaded');
  const unknown = answer.items.find((row) => !row.known)?.host;
  const next: [string, string][] = [];
  if (counts.loaded > 0)
    next.push(['ask now, with reference counts and holders', `modfleet kmods hosts ${name}${only} --live`]);
  if (loaded !== undefined)
    next.push(['what an unload would do', `modfleet kmods unload ${name} --host ${hostWord(loaded)} --dry-run`]);
  if (unknown !== undefined) next.push([`why ${unknown.name} is unknown`, `modfleet hosts show ${hostWord(unknown)}`]);
  if (counts.onDisk > 0 && asked.narrowed)
    next.push(['who could load it', `modfleet kmods hosts ${name}${only} --presence on_disk`]);
  if (answer.nextCursor !== null) next.push(['every host', `modfleet kmods hosts ${name}${only} --all-pages`]);
  next.push(['what it is', `modfleet kmods show ${name}`]);
  return next;
}
