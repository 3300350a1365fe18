import type { HostList, HostSummary } from '@modfleet/server/api-types';
import { fetchPages } from '../api/pages.ts';
import type { ExportOptions, ListOptions, SelectorOptions } from '../command-line/options.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { coverageLine, selectorUnknownLine } from '../kmods/headline.ts';
import { exportList, firstOfExport } from '../output/export.run.ts';
import { jsonFields } from '../output/json-fields.ts';
import { printList } from '../output/list.ts';
import type { Column } from '../output/table.ts';
import { ageAt, ago, exactClock } from '../output/time.ts';

export interface HostsListOptions extends ListOptions, SelectorOptions, ExportOptions {
  readonly name?: string;
  readonly includeRetired?: boolean;
}

/** Of a host in a list, and alone. */
export const HOST_FIELDS = [
  'id',
  'name',
  'labels',
  'mode',
  'connected',
  'connection',
  'lastSeenAt',
  'kernelRelease',
  'os',
  'architecture',
  'agentVersion',
  'coverage',
  'quarantineReason',
  'retiredAt',
  'caTrust',
  'revokedAt',
] as const;

export function hostColumns(asOf: string): Column<HostSummary>[] {
  return [
    { head: 'HOST', cell: (row) => row.name, color: (colors) => colors.bold, shrink: 1 },
    {
      head: 'CONNECTION',
      cell: (row) => row.connection,
      color: (colors, row) => (row.connection === 'connected' ? colors.green : colors.yellow),
    },
    {
      head: 'SEEN',
      cell: (row) => (row.connected ? 'now' : ago(ageAt(row.lastSeenAt, asOf))),
      raw: (row) => row.lastSeenAt ?? '',
    },
    { head: 'MODE', cell: (row) => row.mode },
    { head: 'KERNEL', cell: (row) => row.kernelRelease, shrink: 2 },
    { head: 'OS', cell: (row) => row.os, shrink: 5 },
    { head: 'LABELS', cell: labelText, shrink: 3 },
    { head: 'NOT FRESH', cell: notFresh, hideEmpty: true, shrink: 1, color: (colors) => colors.yellow },
    { head: 'ID', cell: (row) => row.id, pipeOnly: true },
    {
      head: 'CA',
      cell: (row) => (row.caTrust === 'behind' ? 'behind' : ''),
      hideEmpty: true,
      color: (colors) => colors.yellow,
    },
  ];
}

/** "env=prod,role=db". */
export function labelText(row: { readonly labels: Readonly<Record<string, string>> }): string {
  return Object.entries(row.labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

/** Facets of a connected host that are not known now: "available (incapable)". Of a silent host none is. */
function notFresh(row: HostSummary): string {
  if (!row.connected) return '';
  return Object.entries(row.coverage)
    .filter(([, word]) => word !== 'fresh')
    .map(([facet, word]) => `${facet} (${word})`)
    .join(', ');
}

/** `modfleet hosts list`. */
export async function hostsList(context: Context, options: HostsListOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, HOST_FIELDS);
  const api = context.api();
  const { selector, name, includeRetired, includeUnknown } = options;
  const query = { selector, name, includeRetired, includeUnknown };
  if (options.output !== undefined) {
    const { unknown } = await firstOfExport<HostList>(api, io, '/hosts', query, { selector });
    if (unknown > 0 && selector !== undefined && !includeUnknown) io.err.write(`${selectorUnknownLine(unknown)}\n`);
    return exportList(api, io, { path: '/hosts', query, asked: { selector }, format: options.output });
  }
  const answer = await fetchPages<HostList>((page) => api.get('/hosts', { ...query, ...page }, { selector }), options);
  await printList(io, answer, { fields, columns: hostColumns(answer.asOf), none: empty(options) });
  if (answer.unknown > 0 && selector !== undefined && !includeUnknown) {
    io.err.write(`${selectorUnknownLine(answer.unknown)}\n`);
  }
  if (io.out.isTty && !fields && answer.items.length > 0)
    io.err.write(`${coverageLine(answer.coverage, exactClock(answer.asOf, io.now(), io.timeZone))}\n`);
  return EXIT.ok;
}

function empty(options: HostsListOptions): string {
  const narrowed = options.selector !== undefined || options.name !== undefined;
  return narrowed
    ? 'No host matches. All hosts: modfleet hosts list'
    : 'No host has joined yet. Let one join: modfleet join-tokens create';
}
