import type { Host, HostEventList } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import { fetchPages } from '../api/pages.ts';
import type { ListOptions } from '../command-line/options.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { EVENT_FIELDS, hostEventColumns } from '../events/event-columns.ts';
import { clean } from '../output/clean.ts';
import { jsonFields } from '../output/json-fields.ts';
import { printList } from '../output/list.ts';

export interface HostEventsOptions extends ListOptions {
  readonly kmod?: string;
  /** Milliseconds back from now. */
  readonly since?: number;
}

/** `modfleet hosts events HOST`. */
export async function hostEvents(context: Context, host: string, options: HostEventsOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, EVENT_FIELDS);
  const api = context.api();
  const since = options.since === undefined ? undefined : new Date(io.now().getTime() - options.since).toISOString();
  const answer = await fetchPages<HostEventList>(
    (page) => api.get(path`/hosts/${host}/events`, { kmod: options.kmod, since, ...page }, { host }),
    options,
  );
  await printList(io, answer, {
    fields,
    columns: hostEventColumns(io.now(), io.timeZone),
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
