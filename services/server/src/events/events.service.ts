import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import type { HostScope } from '../access/host-scope.ts';
import type { ChangedHostList, EventList, HostEventList, KmodEvent } from '../api-types.ts';
import { databaseTime } from '../database/clock.queries.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { EXPORT_PAGE, type ExportList } from '../exports/export-shape.ts';
import { FACET_NUMBERS } from '../http/facet-words.ts';
import { findHost } from '../hosts/host-lookup.ts';
import { coverageOfSelection } from '../kmods/kmod-list.queries.ts';
import { resolveKmod } from '../kmods/kmod-resolution.ts';
import { type CoverageCounts, countCoverage } from '../presence/coverage.queries.ts';
import { chosenAmong } from '../selectors/host-walk.queries.ts';
import { LoadedSets } from '../sets/loaded-sets.ts';
import { CursorService } from '../paging/cursor.service.ts';
import { EVENT_EXPORT } from './event-export.ts';
import { type EventFilter, type EventRow, pageOfChangedHosts, pageOfEvents } from './event-list.queries.ts';
import { toChangedHost, toEvents } from './event.mapper.ts';
import { eventKindNumber } from './event-words.ts';
import type { eventHostsQuery, eventListQuery, eventWatchQuery, hostEventsQuery } from './events.schema.ts';

export type EventQuery = z.output<typeof eventWatchQuery> & {
  readonly since?: string | undefined;
  readonly until?: string | undefined;
};
type Unfrozen<T> = Omit<T, 'freeze'>;

/** "Who changed" without a time is of the last day. */
const CHANGED_SINCE_MS = 86_400_000;

/** A filter with its names looked up. */
export interface ReadyFilter {
  readonly filter: EventFilter;
  /** Of a kmod that no host reports now: it is unknown unless some event names it. */
  readonly unknownKmod: AppError | undefined;
}

/** What came and went on hosts, by which action of ours or by none. */
@Injectable()
export class EventsService {
  readonly #database: DatabaseService;
  readonly #cursors: CursorService;
  readonly #sets: LoadedSets;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(CursorService) cursors: CursorService,
    @Inject(LoadedSets) sets: LoadedSets,
  ) {
    this.#database = database;
    this.#cursors = cursors;
    this.#sets = sets;
  }

  /** Newest first. @throws AppError host_not_found, host_ambiguous, host_retired, kmod_unknown, cursor_invalid; SelectorError. */
  async list(query: z.output<typeof eventListQuery>, hosts: HostScope): Promise<Unfrozen<EventList>> {
    const { limit, cursor, ...filters } = query;
    const { filter, unknownKmod } = await this.ready(filters, hosts);
    const { asOf, ...page } = await this.#page(filter, { list: 'events', ...filters }, limit, cursor, unknownKmod);
    const { counted } = page;
    return { items: page.items, nextCursor: page.nextCursor, ...counted, asOf };
  }

  /** The whole list, page by page, newest first; what happens meanwhile is not in it. @throws as {@link list}. */
  async exportOf(query: z.output<typeof eventListQuery>, hosts: HostScope): Promise<ExportList<KmodEvent>> {
    const { limit: _limit, cursor: _cursor, ...filters } = query;
    const { filter, unknownKmod } = await this.ready(filters, hosts);
    return {
      columns: EVENT_EXPORT,
      page: async (after, scope) => {
        const position = after === null ? undefined : { at: String(after[0]), id: Number(after[1]) };
        // The selector is asked about the hosts of each step alone: see nextHostsInOrder.
        const anyHost = { ...filter, scope, selector: undefined };
        const rows = await pageOfEvents(this.#database, anyHost, position, EXPORT_PAGE);
        if (rows.length === 0 && after === null && unknownKmod !== undefined) throw unknownKmod;
        const last = rows.length < EXPORT_PAGE ? undefined : rows.at(-1);
        const shown = await this.#ofChosenHosts(rows, { ...filter, scope });
        return { items: toEvents(shown), next: last === undefined ? null : [last.at_text, last.id] };
      },
    };
  }

  /** Newest first. A retired host's events are there for as long as events are kept. @throws as {@link list}. */
  async ofHost(
    idOrName: string,
    query: z.output<typeof hostEventsQuery>,
    hosts: HostScope,
  ): Promise<Unfrozen<HostEventList>> {
    const { limit, cursor, ...filters } = query;
    const host = await findHost(this.#database, idOrName, hosts);
    const { filter, unknownKmod } = await this.ready({ ...filters, host: host.id, includeUnknown: false }, hosts);
    const scope = { list: 'host-events', host: host.id, ...filters };
    const { items, nextCursor, asOf } = await this.#page(filter, scope, limit, cursor, unknownKmod);
    return { host: { id: host.id, name: host.name }, items, nextCursor, asOf };
  }

  /** Hosts with at least one such event, by name, then id. Without `since`: of the last day. @throws as {@link list}. */
  async changedHosts(query: z.output<typeof eventHostsQuery>, hosts: HostScope): Promise<Unfrozen<ChangedHostList>> {
    const { limit, cursor, ...filters } = query;
    const { filter, unknownKmod } = await this.ready(filters, hosts);
    const scope = { list: 'event-hosts', ...filters };
    const position = await this.#cursors.open(scope, cursor);
    const { rows, counted, now } = await this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const time = await databaseTime(sql);
      const since = filter.since ?? new Date((position?.asOfMs ?? time.getTime()) - CHANGED_SINCE_MS).toISOString();
      const found = await pageOfChangedHosts(sql, { ...filter, since }, position?.key, limit + 1);
      return { rows: found, counted: await this.standing(sql, filter), now: time };
    });
    if (rows.length === 0 && position === null && unknownKmod !== undefined) throw unknownKmod;
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const more = rows.length > page.length && last !== undefined;
    const key = last === undefined ? [] : [last.host_name, last.host_id];
    const asOfMs = position?.asOfMs ?? now.getTime();
    return {
      items: page.map(toChangedHost),
      nextCursor: more ? await this.#cursors.seal(scope, { key, asOfMs }) : null,
      ...counted,
      asOf: now.toISOString(),
    };
  }

  /** @throws AppError host_not_found, host_ambiguous, host_retired; KmodNameError. */
  async ready(query: EventQuery, hosts: HostScope): Promise<ReadyFilter> {
    const { host, kmod, kind, ...rest } = query;
    const hostId = host === undefined ? undefined : (await findHost(this.#database, host, hosts)).id;
    const named = kmod === undefined ? undefined : await this.#kmod(kmod, hosts);
    return {
      filter: { ...rest, scope: hosts, hostId, kinds: kind?.map(eventKindNumber), kmod: named?.name },
      unknownKmod: named?.unknown,
    };
  }

  /** Coverage of `loaded` over the hosts that the filter chooses: what of them would be known. Retired hosts, whose past is shown, are in no count. */
  async standing(
    sql: Sql,
    filter: EventFilter,
  ): Promise<{ readonly coverage: CoverageCounts; readonly selectorUnknown: number }> {
    if (filter.hostId !== undefined) {
      const { asOf: _now, ...coverage } = await countCoverage(sql, FACET_NUMBERS.loaded, [filter.hostId]);
      return { coverage, selectorUnknown: 0 };
    }
    const selection = { ...filter, includeUnknown: filter.includeUnknown === true };
    const { asOf: _now, selectorUnknown, ...coverage } = await coverageOfSelection(sql, selection);
    return { coverage, selectorUnknown };
  }

  async #ofChosenHosts(rows: readonly EventRow[], filter: EventFilter): Promise<readonly EventRow[]> {
    if (filter.selector === undefined) return rows;
    const selection = { ...filter, includeUnknown: filter.includeUnknown === true };
    const hosts = await chosenAmong(this.#database, selection, [...new Set(rows.map((row) => row.host_id))]);
    return rows.filter((row) => hosts.has(row.host_id));
  }

  async #page(
    filter: EventFilter,
    scope: object,
    limit: number,
    cursor: string | undefined,
    unknownKmod: AppError | undefined,
  ) {
    const position = await this.#cursors.open(scope, cursor);
    const [at, id] = position?.key ?? [];
    const after = at === undefined ? undefined : { at: String(at), id: Number(id) };
    const { rows, counted, now } = await this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => ({
      rows: await pageOfEvents(sql, filter, after, limit + 1),
      counted: await this.standing(sql, filter),
      now: await databaseTime(sql),
    }));
    if (rows.length === 0 && position === null && unknownKmod !== undefined) throw unknownKmod;
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const more = rows.length > page.length && last !== undefined;
    const asOfMs = position?.asOfMs ?? now.getTime();
    return {
      items: toEvents(page),
      nextCursor: more ? await this.#cursors.seal(scope, { key: [last.at_text, last.id], asOfMs }) : null,
      counted,
      asOf: now.toISOString(),
    };
  }

  /** An alias or a driver's name finds its kmod. What no host reports any more may still have a past. */
  async #kmod(requested: string, hosts: HostScope): Promise<{ readonly name: string; readonly unknown?: AppError }> {
    try {
      return { name: (await resolveKmod(this.#database, this.#sets, requested, hosts)).name };
    } catch (error) {
      if (error instanceof AppError && error.code === 'kmod_unknown')
        return { name: requested.replaceAll('-', '_'), unknown: error };
      throw error;
    }
  }
}
