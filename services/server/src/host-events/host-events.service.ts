import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import type { HostScope } from '../access/host-scope.ts';
import { DatabaseService } from '../database/database.service.ts';
import { findHost } from '../hosts/host-lookup.ts';
import { CursorService } from '../paging/cursor.service.ts';
import { selectHostEvents, selectTime, type EventRow } from './host-events.queries.ts';
import type { hostEventsQuery, hostEventsSchema, kmodEventSchema } from './host-events.schema.ts';

type Page = Omit<z.output<typeof hostEventsSchema>, 'freeze'>;
type KmodEventJson = z.output<typeof kmodEventSchema>;

/** Kinds of the table kmod_event. */
const KIND_WORDS = { 1: 'loaded', 2: 'unloaded', 3: 'changed' } as const satisfies Record<
  number,
  KmodEventJson['kind']
>;

/** What came and went on a host, by which action of ours or by none. */
@Injectable()
export class HostEventsService {
  readonly #database: DatabaseService;
  readonly #cursors: CursorService;

  constructor(@Inject(DatabaseService) database: DatabaseService, @Inject(CursorService) cursors: CursorService) {
    this.#database = database;
    this.#cursors = cursors;
  }

  /** Newest first. A retired host's events are there for as long as events are kept. @throws AppError host_not_found, host_ambiguous, host_retired, cursor_invalid. */
  async page(idOrName: string, query: z.output<typeof hostEventsQuery>, hosts: HostScope): Promise<Page> {
    const { limit, cursor, ...filters } = query;
    const host = await findHost(this.#database, idOrName, hosts);
    const scope = { list: 'host-events', host: host.id, ...filters };
    const position = await this.#cursors.open(scope, cursor);
    const [at, id] = position?.key ?? [];
    const after = at === undefined ? undefined : { at: String(at), id: Number(id) };
    const { rows, asOf } = await this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => ({
      rows: await selectHostEvents(sql, { hostId: host.id, ...filters, after, limit: limit + 1 }),
      asOf: await selectTime(sql),
    }));
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const more = rows.length > page.length && last !== undefined;
    const asOfMs = position?.asOfMs ?? asOf.getTime();
    return {
      host: { id: host.id, name: host.name },
      items: page.flatMap(toEvent),
      nextCursor: more ? await this.#cursors.seal(scope, { key: [last.at_text, last.id], asOfMs }) : null,
      asOf: asOf.toISOString(),
    };
  }
}

function toEvent(row: EventRow): KmodEventJson[] {
  const kind = row.kind === 1 || row.kind === 2 || row.kind === 3 ? KIND_WORDS[row.kind] : undefined;
  // A kind of a newer version: this one has no word for it.
  if (kind === undefined) return [];
  const detail = row.detail as KmodEventJson['detail'];
  return [{ at: row.at.toISOString(), kmod: row.kmod, kind, actionId: row.action_id, source: row.source, detail }];
}
