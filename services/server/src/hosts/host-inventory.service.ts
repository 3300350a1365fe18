import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import type { HostScope } from '../access/host-scope.ts';
import type { HostDeviceList, HostKmodList } from '../api-types.ts';
import { databaseTime } from '../database/clock.queries.ts';
import { DatabaseService } from '../database/database.service.ts';
import { FACET_NUMBERS, orNull } from '../http/facet-words.ts';
import { presenceWords } from '../http/presence-query.ts';
import { CursorService } from '../paging/cursor.service.ts';
import { type FacetCoverageRow, facetsOf } from '../presence/coverage.queries.ts';
import { standingOf } from './host.mapper.ts';
import { decodeParameters, toHostKmod } from './host-inventory.mapper.ts';
import { blocksOfHost, pageOfDevices, pageOfHostKmods, parametersOfHost } from './host-inventory.queries.ts';
import { findHost } from './host-lookup.ts';
import { setsOf, totals } from './hosts.service.ts';
import type { hostDevicesQuery, hostKmodsQuery } from './hosts.schema.ts';

const PRESENCES = ['loaded', 'builtin', 'on_disk'] as const;

/** What one host last reported, with the coverage of each facet that it rests on. */
@Injectable()
export class HostInventoryService {
  readonly #database: DatabaseService;
  readonly #cursors: CursorService;

  constructor(@Inject(DatabaseService) database: DatabaseService, @Inject(CursorService) cursors: CursorService) {
    this.#database = database;
    this.#cursors = cursors;
  }

  /** @throws AppError host_not_found, host_ambiguous, host_retired, query_invalid, cursor_invalid. */
  async kmods(
    idOrName: string,
    query: z.output<typeof hostKmodsQuery>,
    hosts: HostScope,
  ): Promise<Omit<HostKmodList, 'freeze'>> {
    const presence = presenceWords(query.presence, PRESENCES, ['loaded', 'builtin']);
    const scope = { list: 'host kmods', host: idOrName, presence, name: query.name };
    const position = await this.#cursors.open(scope, query.cursor);
    const read = await this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const host = await findHost(sql, idOrName, hosts);
      const facets = await facetsOf(sql, [host.id]);
      const sets = setsOf(facets);
      const after = position === null ? null : String(position.key[0]);
      const rows = await pageOfHostKmods(sql, sets, { presence, name: query.name }, after, query.limit);
      const names = rows.map((row) => row.name);
      const blocks = await blocksOfHost(sql, sets.config, names);
      const parameters = decodeParameters(await parametersOfHost(sql, host.id));
      return {
        host,
        facets,
        rows,
        blocks,
        parameters,
        counts: await totals(sql, sets),
        asOf: await databaseTime(sql),
      };
    });
    const shown = read.rows.slice(0, query.limit);
    const last = shown.at(-1);
    const more = read.rows.length > query.limit && last !== undefined;
    const asOfMs = position?.asOfMs ?? read.asOf.getTime();
    return {
      host: { id: read.host.id, name: read.host.name },
      items: shown.map((row) => toHostKmod(row, read.blocks, read.parameters)),
      nextCursor: more ? await this.#cursors.seal(scope, { key: [last.name], asOfMs }) : null,
      counts: { ...read.counts },
      asOf: read.asOf.toISOString(),
      facets: {
        loaded: standingOf(facet(read.facets, FACET_NUMBERS.loaded), read.asOf),
        available: standingOf(facet(read.facets, FACET_NUMBERS.available), read.asOf),
        config: standingOf(facet(read.facets, FACET_NUMBERS.config), read.asOf),
      },
    };
  }

  /** @throws AppError host_not_found, host_ambiguous, host_retired, cursor_invalid. */
  async devices(
    idOrName: string,
    query: z.output<typeof hostDevicesQuery>,
    hosts: HostScope,
  ): Promise<Omit<HostDeviceList, 'freeze'>> {
    const { limit, cursor, ...filter } = query;
    const scope = { list: 'host devices', host: idOrName, ...filter };
    const position = await this.#cursors.open(scope, cursor);
    const read = await this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const host = await findHost(sql, idOrName, hosts);
      const facets = await facetsOf(sql, [host.id]);
      const rows = await pageOfDevices(sql, setsOf(facets).devices, filter, position?.key ?? null, limit);
      return { host, facets, rows, asOf: await databaseTime(sql) };
    });
    const shown = read.rows.slice(0, limit);
    const last = shown.at(-1);
    const more = read.rows.length > limit && last !== undefined;
    const asOfMs = position?.asOfMs ?? read.asOf.getTime();
    return {
      host: { id: read.host.id, name: read.host.name },
      items: shown.map((row) => ({ ...row, kmod: orNull(row.kmod) })),
      nextCursor: more ? await this.#cursors.seal(scope, { key: [last.bus, last.address], asOfMs }) : null,
      asOf: read.asOf.toISOString(),
      ...standingOf(facet(read.facets, FACET_NUMBERS.devices), read.asOf),
    };
  }
}

function facet(facets: readonly FacetCoverageRow[], number: number): FacetCoverageRow | undefined {
  return facets.find((each) => each.facet === number);
}
