import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import type { HostScope } from '../access/host-scope.ts';
import type { Kmod, KmodHost, KmodHostList, KmodList, KmodListItem } from '../api-types.ts';
import { databaseTime } from '../database/clock.queries.ts';
import { DatabaseService } from '../database/database.service.ts';
import { EXPORT_PAGE, type ExportList } from '../exports/export-shape.ts';
import { presenceWords } from '../http/presence-query.ts';
import { LoadedSets } from '../sets/loaded-sets.ts';
import { CursorService } from '../paging/cursor.service.ts';
import { KMOD_EXPORT, KMOD_HOST_EXPORT } from './kmod-export.ts';
import { toBlockedCounts, toDetails, toKmodHost, toResolution, toTally } from './kmod.mapper.ts';
import {
  blocksInSets,
  buildsOfKmod,
  countAliases,
  detailsOfKmod,
  devicesInSets,
  kmodHostsAmong,
  tallyKmod,
} from './kmod-hosts.queries.ts';
import { coverageOfSelection, type KmodListRow, pageOfKmods } from './kmod-list.queries.ts';
import { pageOfKmodHosts } from './kmod-page.ts';
import { tallyFromKey, tallyToKey } from './kmod-tally-key.ts';
import { resolveKmod } from './kmod-resolution.ts';
import { nextHostsInOrder } from '../selectors/host-walk.queries.ts';
import type { kmodHostsQuery, kmodListQuery, kmodQuery } from './kmods.schema.ts';

const LIST_PRESENCES = ['loaded', 'builtin', 'on_disk'] as const;
const HOST_PRESENCES = ['loaded', 'builtin', 'on_disk', 'absent', 'unknown'] as const;

/** Answers "which hosts run this kmod". Rows, counts and coverage of one answer come from one snapshot with one now(). */
@Injectable()
export class KmodsService {
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

  async list(query: z.output<typeof kmodListQuery>, hosts: HostScope): Promise<Omit<KmodList, 'freeze'>> {
    const { limit, cursor, presence: words, ...rest } = query;
    const filters = { ...rest, presence: presenceWords(words, LIST_PRESENCES, ['loaded', 'builtin']) };
    const scope = { list: 'kmods', ...filters };
    const filter = { ...filters, scope: hosts };
    const position = await this.#cursors.open(scope, cursor);
    const after = position === null ? null : String(position.key[0]);
    const { rows, counted } = await this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => ({
      rows: await pageOfKmods(sql, this.#sets, filter, after, limit),
      counted: await coverageOfSelection(sql, filter),
    }));
    const { asOf, selectorUnknown: _left, ...coverage } = counted;
    const shown = rows.slice(0, limit);
    const last = shown.at(-1);
    const more = rows.length > limit && last !== undefined;
    const asOfMs = position?.asOfMs ?? asOf.getTime();
    return {
      items: shown.map(toKmodListItem),
      nextCursor: more ? await this.#cursors.seal(scope, { key: [last.name], asOfMs }) : null,
      asOf: asOf.toISOString(),
      coverage,
    };
  }

  /** The whole list, page by page. */
  exportOf(query: z.output<typeof kmodListQuery>): ExportList<KmodListItem> {
    const { limit: _limit, cursor: _cursor, presence: words, ...rest } = query;
    const filter = { ...rest, presence: presenceWords(words, LIST_PRESENCES, ['loaded', 'builtin']) };
    return {
      columns: KMOD_EXPORT,
      page: async (after, scope) => {
        const rows = await this.#database.tx('REPEATABLE READ READ ONLY', (sql) =>
          pageOfKmods(sql, this.#sets, { ...filter, scope }, after === null ? null : String(after[0]), EXPORT_PAGE),
        );
        const shown = rows.slice(0, EXPORT_PAGE);
        const last = rows.length > EXPORT_PAGE ? shown.at(-1) : undefined;
        return { items: shown.map(toKmodListItem), next: last === undefined ? null : [last.name] };
      },
    };
  }

  /** @throws KmodNameError; SelectorError; AppError kmod_unknown. */
  async show(requested: string, query: z.output<typeof kmodQuery>, hosts: HostScope): Promise<Omit<Kmod, 'freeze'>> {
    const selection = { ...query, scope: hosts };
    return this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const subject = await resolveKmod(sql, this.#sets, requested, hosts);
      const tally = await tallyKmod(sql, this.#sets, subject, selection);
      const { kmodId } = subject;
      return {
        ...toResolution(subject),
        ...toDetails(kmodId === null ? undefined : await detailsOfKmod(sql, kmodId, hosts)),
        ...toTally(tally),
        builds: await buildsOfKmod(sql, this.#sets, subject, selection),
        drivers: [...subject.drivers],
        aliases: kmodId === null ? 0 : await countAliases(sql, kmodId, hosts),
        blocked: toBlockedCounts(tally),
      };
    });
  }

  /**
   * The counts are made with the first page and carried on by the cursor: looking at the whole fleet again for each page would cost more than the page.
   *
   * @throws KmodNameError; SelectorError; AppError kmod_unknown, query_invalid, cursor_invalid.
   */
  async hosts(
    requested: string,
    query: z.output<typeof kmodHostsQuery>,
    hosts: HostScope,
  ): Promise<Omit<KmodHostList, 'freeze'>> {
    const { limit, cursor, presence: words, ...chosen } = query;
    const selection = { ...chosen, scope: hosts };
    const presence = presenceWords(words, HOST_PRESENCES, ['loaded', 'builtin']);
    const scope = { list: 'kmod hosts', requested, presence, ...chosen };
    const position = await this.#cursors.open(scope, cursor);
    const carried = position === null ? undefined : tallyFromKey(position);
    const read = await this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const subject = await resolveKmod(sql, this.#sets, requested, hosts);
      const after = position?.key.slice(0, 2) ?? null;
      const rows = await pageOfKmodHosts(sql, this.#sets, subject, selection, { presence, after, limit });
      const blocks = await blocksInSets(sql, subject.kmodId, distinct(rows.map((row) => row.config_set)));
      const devices = await devicesInSets(sql, subject, distinct(rows.map((row) => row.device_set)));
      const tally = carried ?? (await tallyKmod(sql, this.#sets, subject, selection));
      return { subject, rows, blocks, devices, tally, now: await databaseTime(sql) };
    });
    const shown = read.rows.slice(0, limit);
    const last = shown.at(-1);
    const more = read.rows.length > limit && last !== undefined;
    const asOfMs = read.tally.asOf.getTime();
    const key = more ? [last.name, last.id, ...tallyToKey(read.tally)] : [];
    return {
      ...toResolution(read.subject),
      items: shown.map((row) => toKmodHost(row, read.blocks, read.devices, read.now)),
      nextCursor: more ? await this.#cursors.seal(scope, { key, asOfMs }) : null,
      ...toTally(read.tally),
    };
  }

  /** The whole list, page by page: each of so many hosts, of which those with another presence are left out. */
  exportHosts(requested: string, query: z.output<typeof kmodHostsQuery>): ExportList<KmodHost> {
    const { limit: _limit, cursor: _cursor, presence: words, ...chosen } = query;
    const presence = presenceWords(words, HOST_PRESENCES, ['loaded', 'builtin']);
    return {
      columns: KMOD_HOST_EXPORT,
      page: (after, scope) =>
        this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
          const subject = await resolveKmod(sql, this.#sets, requested, scope);
          const selection = { ...chosen, scope };
          const hosts = await nextHostsInOrder(sql, selection, after, EXPORT_PAGE);
          const ids = hosts.map((host) => host.id);
          const rows = await kmodHostsAmong(sql, this.#sets, subject, selection, presence, ids);
          const blocks = await blocksInSets(sql, subject.kmodId, distinct(rows.map((row) => row.config_set)));
          const devices = await devicesInSets(sql, subject, distinct(rows.map((row) => row.device_set)));
          const asOf = await databaseTime(sql);
          const last = hosts.length < EXPORT_PAGE ? undefined : hosts.at(-1);
          return {
            items: rows.map((row) => toKmodHost(row, blocks, devices, asOf)),
            next: last === undefined ? null : [last.name, last.id],
          };
        }),
    };
  }
}

function toKmodListItem(row: KmodListRow): KmodListItem {
  const { name, loaded, builtin, onDisk, lastLoaded, lastBuiltin, lastOnDisk } = row;
  return {
    name,
    counts: { loaded, builtin, onDisk },
    lastSeen: { loaded: lastLoaded, builtin: lastBuiltin, onDisk: lastOnDisk },
  };
}

function distinct(sets: readonly (number | null)[]): number[] {
  return [...new Set(sets.filter((set) => set !== null))];
}
