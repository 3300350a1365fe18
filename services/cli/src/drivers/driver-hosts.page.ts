import type { DriverHost, DriverHostList } from '@modfleet/server/api-types';
import type { Io } from '../io.ts';
import { coverageLine, selectorUnknownLine, shortWhy, whyUnknown } from '../kmods/headline.ts';
import { clean } from '../output/clean.ts';
import { renderNext } from '../output/page.ts';
import { colorsFor } from '../output/style.ts';
import { renderTable, type Column } from '../output/table.ts';
import { ago, exactClock } from '../output/time.ts';
import { wrap } from '../output/width.ts';
import { count, list } from '../output/words.ts';

/** Kmods named in "Next:"; a driver of many kmods would fill the page. */
const NEXT_KMODS = 3;

/** The order of raw cells is part of the command's contract (docs/cli.md). */
export function driverColumns(): Column<DriverHost>[] {
  return [
    { head: 'HOST', cell: (row) => row.host.name, shrink: 1, color: (colors) => colors.bold },
    { head: 'KMOD', cell: kmodCell, raw: (row) => (row.builtin ? 'builtin' : (row.kmod ?? '')) },
    { head: 'SEEN', cell: (row) => ago(row.ageMs), raw: (row) => row.observedAt ?? '' },
    { head: 'KERNEL', cell: (row) => row.kernelRelease, shrink: 3 },
    {
      head: 'DEVICES',
      cell: devices,
      raw: (row) => row.devices.map((device) => `${device.bus}:${device.address}`).join(','),
      shrink: 2,
      hideEmpty: true,
    },
    { head: 'COVERAGE', cell: (row) => row.coverage, pipeOnly: true },
    { head: 'ID', cell: (row) => row.host.id, pipeOnly: true },
  ];
}

function unknownLine(row: DriverHost, io: Io): string {
  const said =
    row.presence === null ? '' : `; it last said: ${row.presence === 'none' ? 'no such device' : kmodCell(row)}`;
  return `${row.host.name} (${row.kernelRelease}): ${whyUnknown(row, io.now(), io.timeZone)}${said}`;
}

function kmodCell(row: DriverHost): string {
  if (row.builtin) return row.kmod === null ? 'built in' : `built in (${row.kmod})`;
  return row.kmod ?? '?';
}

function devices(row: DriverHost): string {
  return row.devices
    .map(({ bus, address, names }) =>
      names.length > 0 ? `${names.join(',')} (${bus} ${address})` : `${bus} ${address}`,
    )
    .join(' ');
}

/** The answer in one sentence; what is not fresh is unknown. */
export function driverSentence(answer: DriverHostList, selector: string | undefined, io: Io): string {
  const { counts, coverage, lastSeen } = answer;
  if (coverage.total === 0) return selector === undefined ? 'No host has joined yet.' : `No host matches ${selector}.`;
  const have = counts.bound + counts.builtin;
  const how = [
    ...(counts.bound > 0 ? [`from a kmod on ${counts.bound}`] : []),
    ...(counts.builtin > 0 ? [`built in on ${counts.builtin}`] : []),
  ];
  const verb =
    have === 0 && counts.unknown > 0 ? 'are known to have' : have === 1 || coverage.total === 1 ? 'has' : 'have';
  const parts = [
    `${have} of ${count(coverage.total, 'host')} ${verb} a device on driver ${answer.name}${how.length > 0 ? ` (${how.join(', ')})` : ''}`,
  ];
  if (counts.none > 0) parts.push(`${counts.none} ${counts.none === 1 ? 'does' : 'do'} not`);
  if (counts.unknown > 0) {
    const [only] = answer.items.filter((row) => !row.known);
    const why = counts.unknown === 1 && only ? `: ${shortWhy(only, io.now(), io.timeZone)}` : '';
    const had = lastSeen.bound + lastSeen.builtin;
    parts.push(
      `${counts.unknown} unknown${why}${had === 0 ? '' : had === counts.unknown ? ', having one when last seen' : `, ${had} of them having one when last seen`}`,
    );
  }
  return `${parts.join('; ')}.`;
}

export function renderDriverHosts(answer: DriverHostList, selector: string | undefined, io: Io): string {
  const colors = colorsFor(io, io.out);
  const width = io.out.columns;
  const known = answer.items.filter((row) => row.known);
  const unknown = answer.items.filter((row) => !row.known);
  const parts = wrap(clean(driverSentence(answer, selector, io)), width).map((line) => `${colors.bold(line)}\n`);
  if (answer.kmods.length > 0) parts.push(`It comes from ${clean(list(answer.kmods))}.\n`);
  if (answer.selectorUnknown > 0) parts.push(`${selectorUnknownLine(answer.selectorUnknown)}\n`);
  parts.push(colors.dim(`${coverageLine(answer.coverage, exactClock(answer.asOf, io.now(), io.timeZone))}\n`));
  if (known.length > 0) parts.push('\n', renderTable(driverColumns(), known, width, colors));
  if (unknown.length > 0) {
    const lines = unknown.flatMap((row) => wrap(`  ${clean(unknownLine(row, io))}`, width, '    '));
    parts.push(`
Unknown: ${count(unknown.length, 'host')}. What was last said may no longer hold.
`);
    parts.push(
      ...lines.map(
        (line) => `${line}
`,
      ),
    );
  }
  if (answer.nextCursor !== null) {
    parts.push(`\nThese are the first ${count(answer.items.length, 'host')}. For all: --all-pages\n`);
  }
  const next = answer.kmods
    .slice(0, NEXT_KMODS)
    .map((kmod): [string, string] => [`who runs ${kmod}`, `modfleet kmods hosts ${kmod}`]);
  return parts.join('') + renderNext(next);
}
