import type { ChangedHostList, EventList } from '@modfleet/server/api-types';
import type { Query } from '../api/api.ts';
import { fetchPages } from '../api/pages.ts';
import type { ExportOptions, ListOptions, SelectorOptions } from '../command-line/options.ts';
import type { Context } from '../context.ts';
import { usageError } from '../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import type { Io } from '../io.ts';
import { coverageLine, selectorUnknownLine } from '../kmods/headline.ts';
import { exportList, firstOfExport } from '../output/export.run.ts';
import { jsonFields } from '../output/json-fields.ts';
import { printList } from '../output/list.ts';
import { exactClock } from '../output/time.ts';
import { changedHostColumns, EVENT_FIELDS, eventColumns, type KINDS } from './event-columns.ts';

/** What narrows events. */
export interface EventFilterOptions extends SelectorOptions {
  readonly host?: string;
  readonly kmod?: string;
  readonly kind?: readonly (typeof KINDS)[number][];
  readonly by?: 'action' | 'none';
  readonly action?: string;
}

export interface EventsListOptions extends ListOptions, EventFilterOptions, ExportOptions {
  /** Milliseconds back from now. */
  readonly since?: number;
  readonly until?: number;
  readonly byHost?: boolean;
}

const HOST_FIELDS = [
  'host',
  'events',
  'loaded',
  'unloaded',
  'changed',
  'byActions',
  'kmods',
  'kmodCount',
  'firstAt',
  'lastAt',
] as const;

/** `modfleet events list`. */
export async function eventsList(context: Context, options: EventsListOptions): Promise<ExitCode> {
  return options.byHost ? changedHosts(context, options) : events(context, options);
}

/** The query of what narrows events, as the API takes it. */
export function eventQuery(options: EventFilterOptions): Query {
  const { host, selector, includeUnknown, kmod, kind, by, action } = options;
  return { host, selector, includeUnknown, kmod, kind: kind?.join(','), by, actionId: action };
}

/** What errors need of it. */
export function eventsAsked({ host, selector, kmod }: EventFilterOptions) {
  return { host, selector, kmod, kmodCommand: 'events list --kmod' };
}

async function events(context: Context, options: EventsListOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, EVENT_FIELDS);
  const api = context.api();
  const query = { ...eventQuery(options), ...times(options, io) };
  if (options.output !== undefined) {
    const asked = eventsAsked(options);
    const first = await firstOfExport<EventList>(api, io, '/events', query, asked);
    if (first.selectorUnknown > 0 && !options.includeUnknown)
      io.err.write(`${selectorUnknownLine(first.selectorUnknown)}\n`);
    return exportList(api, io, { path: '/events', query, asked, format: options.output });
  }
  const answer = await fetchPages<EventList>(
    (page) => api.get('/events', { ...query, ...page }, eventsAsked(options)),
    options,
  );
  const columns = eventColumns(io.now(), io.timeZone);
  await printList(io, answer, { fields, columns, none: 'No change is on record.' });
  tellStanding(answer, options, io);
  return EXIT.ok;
}

async function changedHosts(context: Context, options: EventsListOptions): Promise<ExitCode> {
  if (options.output !== undefined) throw usageError('--output gives the events: leave out --by-host');
  const { io } = context;
  const fields = jsonFields(options.json, HOST_FIELDS);
  const api = context.api();
  const query = { ...eventQuery(options), ...times(options, io) };
  const answer = await fetchPages<ChangedHostList>(
    (page) => api.get('/events/hosts', { ...query, ...page }, eventsAsked(options)),
    options,
  );
  const columns = changedHostColumns(io.now(), io.timeZone);
  await printList(io, answer, { fields, columns, none: 'No change of any host is on record in that time.' });
  tellStanding(answer, options, io);
  return EXIT.ok;
}

function times({ since, until }: EventsListOptions, io: Io): Query {
  const before = (ms: number | undefined) =>
    ms === undefined ? undefined : new Date(io.now().getTime() - ms).toISOString();
  return { since: before(since), until: before(until) };
}

/** What is not listed may have happened all the same, on hosts that do not say. */
function tellStanding(
  answer: Pick<EventList, 'coverage' | 'asOf' | 'selectorUnknown'>,
  options: EventsListOptions,
  io: Io,
): void {
  if (answer.selectorUnknown > 0 && options.selector !== undefined && !options.includeUnknown)
    io.err.write(`${selectorUnknownLine(answer.selectorUnknown)}\n`);
  const { coverage } = answer;
  if (!io.out.isTty && coverage.fresh === coverage.total) return;
  io.err.write(`${coverageLine(coverage, exactClock(answer.asOf, io.now(), io.timeZone))}\n`);
  if (coverage.fresh < coverage.total)
    io.err.write(
      'What changed on the others is listed as far as it was told; the rest comes when they report again.\n',
    );
}
