import type { HostKmod, HostKmodList, KmodList, KmodListItem } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import { fetchPages } from '../api/pages.ts';
import type { ExportOptions, ListOptions } from '../command-line/options.ts';
import type { Context } from '../context.ts';
import { usageError } from '../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { exportList, firstOfExport } from '../output/export.run.ts';
import { jsonFields } from '../output/json-fields.ts';
import { printList } from '../output/list.ts';
import type { Column } from '../output/table.ts';
import { exactClock } from '../output/time.ts';
import { coverageLine, whyUnknown } from './headline.ts';
import { PRESENCE_WORDS, shortBuild } from './kmod-host-columns.ts';

export interface KmodsListOptions extends ListOptions, ExportOptions {
  readonly name?: string;
  readonly selector?: string;
  readonly includeUnknown?: boolean;
  readonly host?: string;
  readonly presence?: readonly ('loaded' | 'builtin' | 'on_disk' | 'any')[];
}

const FLEET_FIELDS = ['name', 'counts', 'lastSeen'] as const;
const HOST_FIELDS = [
  'name',
  'presence',
  'state',
  'buildId',
  'size',
  'taint',
  'version',
  'srcversion',
  'fileDiffers',
  'path',
  'parameters',
  'blocks',
] as const;

export const fleetColumns: Column<KmodListItem>[] = [
  { head: 'KMOD', cell: (row) => row.name, color: (colors) => colors.bold },
  { head: 'LOADED', cell: (row) => String(row.counts.loaded) },
  { head: 'BUILT IN', cell: (row) => String(row.counts.builtin) },
  { head: 'ON DISK', cell: (row) => String(row.counts.onDisk) },
  {
    head: 'LAST SEEN ON UNKNOWN',
    cell: (row) =>
      row.lastSeen.loaded + row.lastSeen.builtin === 0 ? '' : String(row.lastSeen.loaded + row.lastSeen.builtin),
    raw: (row) => String(row.lastSeen.loaded + row.lastSeen.builtin),
    hideEmpty: true,
  },
];

export const hostKmodColumns: Column<HostKmod>[] = [
  { head: 'KMOD', cell: (row) => row.name, color: (colors) => colors.bold },
  {
    head: 'STATE',
    cell: (row) => PRESENCE_WORDS[row.presence] + (row.state === null || row.state === 'live' ? '' : ` (${row.state})`),
    raw: (row) => row.presence,
  },
  { head: 'SIZE', cell: (row) => (row.size === null ? '' : String(row.size)), hideEmpty: true },
  { head: 'VERSION', cell: (row) => row.version ?? '', hideEmpty: true },
  {
    head: 'BUILD',
    cell: (row) => shortBuild(row.buildId) + (row.fileDiffers ? ' !' : ''),
    raw: (row) => row.buildId ?? '',
    hideEmpty: true,
  },
  { head: 'TAINT', cell: (row) => row.taint, hideEmpty: true },
  { head: 'PARAMETERS', cell: parameters, hideEmpty: true, shrink: 1 },
];

/** `modfleet kmods list`. */
export async function kmodsList(context: Context, options: KmodsListOptions): Promise<ExitCode> {
  return options.host === undefined ? fleetKmods(context, options) : hostKmods(context, options.host, options);
}

async function fleetKmods(context: Context, options: KmodsListOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FLEET_FIELDS);
  const api = context.api();
  const { name, selector, includeUnknown } = options;
  const query = { name, selector, includeUnknown, presence: options.presence?.join(',') };
  if (options.output !== undefined) {
    await firstOfExport<KmodList>(api, io, '/kmods', query, { selector });
    return exportList(api, io, { path: '/kmods', query, asked: { selector }, format: options.output });
  }
  const answer = await fetchPages<KmodList>((page) => api.get('/kmods', { ...query, ...page }, { selector }), options);
  await printList(io, answer, { fields, columns: fleetColumns, none: 'No kmod matches.' });
  if (io.out.isTty || answer.coverage.fresh < answer.coverage.total)
    io.err.write(`${coverageLine(answer.coverage, exactClock(answer.asOf, io.now(), io.timeZone))}\n`);
  return EXIT.ok;
}

async function hostKmods(context: Context, host: string, options: KmodsListOptions): Promise<ExitCode> {
  const { io } = context;
  if (options.output !== undefined)
    throw usageError(
      '--output gives the kmods of the fleet, not those of one host',
      'of one host: --json FIELDS --all-pages',
    );
  const fields = jsonFields(options.json, HOST_FIELDS);
  const api = context.api();
  const query = { name: options.name, presence: options.presence?.join(',') };
  const answer = await fetchPages<HostKmodList>(
    (page) => api.get(path`/hosts/${host}/kmods`, { ...query, ...page }, { host }),
    options,
  );
  await printList(io, answer, { fields, columns: hostKmodColumns, none: 'No kmod matches.' });
  for (const facet of ['loaded', 'available'] as const) {
    const standing = answer.facets[facet];
    if (standing.coverage !== 'fresh')
      io.err.write(
        `Not known now (${facet}): ${answer.host.name} ${whyUnknown(standing, io.now(), io.timeZone)}. What is above is what it last said.\n`,
      );
  }
  return EXIT.ok;
}

function parameters(row: HostKmod): string {
  return Object.entries(row.parameters)
    .map(([key, value]) => `${key}=${value ?? '?'}`)
    .join(' ');
}
