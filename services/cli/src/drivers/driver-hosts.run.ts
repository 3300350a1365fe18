import type { DriverHost, DriverHostList } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import { fetchPages, noteMore } from '../api/pages.ts';
import type { ListOptions, SelectorOptions } from '../command-line/options.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import type { Io } from '../io.ts';
import { coverageLine, whyUnknown } from '../kmods/headline.ts';
import { clean } from '../output/clean.ts';
import { jsonFields, pick, renderJson } from '../output/json-fields.ts';
import { noteFreeze, printRows, renderNext } from '../output/page.ts';
import { colorsFor } from '../output/style.ts';
import { renderTable, type Column } from '../output/table.ts';
import { ago, exactClock } from '../output/time.ts';
import { count, list } from '../output/words.ts';
import { wrap } from '../output/width.ts';

export interface DriverHostsOptions extends ListOptions, SelectorOptions {
  readonly exitStatus?: boolean;
}

const FIELDS = ['name', 'kmods', 'counts', 'lastSeen', 'coverage', 'asOf', 'items', 'nextCursor', 'freeze'] as const;

/** The order of raw cells is part of the command's contract (docs/cli.md). */
function columns(): Column<DriverHost>[] {
  return [
    { head: 'HOST', cell: (row) => row.host.name, shrink: 1, color: (colors) => colors.bold },
    {
      head: 'KMOD',
      cell: (row) => (row.builtin ? `built in${row.kmod === null ? '' : ` (${row.kmod})`}` : (row.kmod ?? '?')),
      raw: (row) => (row.builtin ? 'builtin' : (row.kmod ?? '')),
    },
    { head: 'SEEN', cell: (row) => ago(row.ageMs), raw: (row) => row.observedAt ?? '' },
    { head: 'KERNEL', cell: (row) => row.kernelRelease, shrink: 3 },
    {
      head: 'DEVICES',
      cell: devices,
      raw: (row) => row.devices.map((device) => `${device.bus}:${device.address}`).join(','),
      shrink: 2,
    },
    { head: 'NOT FRESH', cell: (row) => (row.known ? '' : row.coverage), raw: (row) => row.coverage, hideEmpty: true },
    { head: '', cell: () => '', raw: (row) => row.host.id, hideEmpty: true },
  ];
}

function devices(row: DriverHost): string {
  return row.devices
    .map((device) =>
      device.names.length > 0
        ? `${device.names.join(',')} (${device.bus} ${device.address})`
        : `${device.bus} ${device.address}`,
    )
    .join(' ');
}

/** `modfleet drivers hosts NAME`. */
export async function driverHosts(context: Context, name: string, options: DriverHostsOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const api = context.api();
  const { selector, includeUnknown } = options;
  const answer = await fetchPages<DriverHostList>(
    (page) => api.get(path`/drivers/${name}/hosts`, { selector, includeUnknown, ...page }, { selector, kmod: name }),
    options,
  );
  noteFreeze(answer.freeze, io);
  if (fields) io.out.write(renderJson(pick(answer, fields), io.out.isTty));
  else if (io.out.isTty) io.out.write(renderPage(answer, selector, io));
  else {
    io.err.write(`${sentenceOf(answer, selector, io)}\n`);
    printRows(io, columns(), answer.items);
    noteMore(answer, io);
  }
  if (!options.exitStatus) return EXIT.ok;
  if (answer.counts.unknown > 0) return EXIT.incomplete;
  return answer.counts.bound + answer.counts.builtin > 0 ? EXIT.ok : EXIT.negative;
}

function sentenceOf(answer: DriverHostList, selector: string | undefined, io: Io): string {
  const { counts, coverage, lastSeen } = answer;
  if (coverage.total === 0) return selector === undefined ? 'No host has joined yet.' : `No host matches ${selector}.`;
  const have = counts.bound + counts.builtin;
  const how = [
    ...(counts.bound > 0 ? [`from a kmod on ${counts.bound}`] : []),
    ...(counts.builtin > 0 ? [`built in on ${counts.builtin}`] : []),
  ];
  const known = have === 0 && counts.unknown > 0 ? ' are known to' : '';
  const verb = known === '' && coverage.total === 1 ? 'has' : 'have';
  const parts = [
    `${have} of ${count(coverage.total, 'host')}${known} ${verb} a device on driver ${answer.name}${how.length > 0 ? ` (${how.join(', ')})` : ''}`,
  ];
  if (counts.none > 0) parts.push(`${counts.none} ${counts.none === 1 ? 'does' : 'do'} not`);
  if (counts.unknown > 0) {
    const [only] = answer.items.filter((row) => !row.known);
    const why = counts.unknown === 1 && only ? `: ${whyUnknown(only, io.now(), io.timeZone)}` : '';
    const had = lastSeen.bound + lastSeen.builtin;
    parts.push(`${counts.unknown} unknown${why}${had > 0 ? `, ${had} of them had one when last seen` : ''}`);
  }
  return `${parts.join('; ')}.`;
}

function renderPage(answer: DriverHostList, selector: string | undefined, io: Io): string {
  const colors = colorsFor(io, io.out);
  const parts = wrap(clean(sentenceOf(answer, selector, io)), io.out.columns).map((line) => `${colors.bold(line)}\n`);
  if (answer.kmods.length > 0) parts.push(`It comes from ${clean(list(answer.kmods))}.\n`);
  parts.push(colors.dim(`${coverageLine(answer.coverage, exactClock(answer.asOf, io.now(), io.timeZone))}\n`));
  if (answer.items.length > 0) parts.push('\n', renderTable(columns(), answer.items, io.out.columns, colors));
  if (answer.nextCursor !== null)
    parts.push(`\nThese are the first ${count(answer.items.length, 'host')}. For all: --all-pages\n`);
  return (
    parts.join('') +
    renderNext(answer.kmods.slice(0, 3).map((kmod) => ['who runs its kmod', `modfleet kmods hosts ${kmod}`]))
  );
}
