import type { Host, HostEventList, KmodEvent } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import { fetchPages } from '../api/pages.ts';
import type { ListOptions } from '../command-line/options.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { clean } from '../output/clean.ts';
import { jsonFields } from '../output/json-fields.ts';
import { printList } from '../output/list.ts';
import type { Column } from '../output/table.ts';
import { exactClock } from '../output/time.ts';

export interface HostEventsOptions extends ListOptions {
  readonly kmod?: string;
  /** Milliseconds back from now. */
  readonly since?: number;
}

const FIELDS = ['at', 'kmod', 'kind', 'actionId', 'source', 'detail'] as const;

/** The order of raw cells is part of the command's contract (docs/cli.md). */
export function eventColumns(now: Date, timeZone: string | undefined): Column<KmodEvent>[] {
  return [
    { head: 'SEEN', cell: (row) => exactClock(row.at, now, timeZone), raw: (row) => row.at },
    { head: 'KMOD', cell: (row) => row.kmod, color: (colors) => colors.bold },
    { head: 'WHAT', cell: (row) => row.kind },
    { head: 'BY ACTION', cell: (row) => row.actionId ?? 'none of ours', raw: (row) => row.actionId ?? '' },
    { head: 'SEEN BY', cell: (row) => row.source },
  ];
}

/** `modfleet hosts events HOST`. */
export async function hostEvents(context: Context, host: string, options: HostEventsOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const api = context.api();
  const since = options.since === undefined ? undefined : new Date(io.now().getTime() - options.since).toISOString();
  const answer = await fetchPages<HostEventList>(
    (page) => api.get(path`/hosts/${host}/events`, { kmod: options.kmod, since, ...page }, { host }),
    options,
  );
  await printList(io, answer, {
    fields,
    columns: eventColumns(io.now(), io.timeZone),
    none: () => nothingSeen(context, answer.host),
  });
  return EXIT.ok;
}

/** No rows are an answer only of a host that reports its kmods. */
async function nothingSeen(context: Context, host: HostEventList['host']): Promise<string> {
  const { facets, connection } = await context.api().get<Host>(path`/hosts/${host.id}`, {}, { host: host.id });
  const loaded = facets.find((facet) => facet.facet === 'loaded');
  if (loaded?.coverage === 'fresh') return 'No change was seen in that time.';
  const why =
    loaded?.coverage === 'incapable' ? (loaded.reason ?? 'it cannot report its kmods') : `it is ${connection}`;
  return `No change is on record, and that says nothing: what ${clean(host.name)} has loaded is not known now (${clean(why)}).`;
}
