import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import type { HostScope } from '../access/host-scope.ts';
import type { HostList, HostSummary } from '../api-types.ts';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { EXPORT_PAGE, type ExportList } from '../exports/export-shape.ts';
import { FACET_NUMBERS } from '../http/facet-words.ts';
import { CursorService } from '../paging/cursor.service.ts';
import { sightingsOf } from '../quarantine/quarantine.queries.ts';
import { type FacetCoverageRow, facetsOf } from '../presence/coverage.queries.ts';
import { type ConfigSummary, type HostAnswer, type KmodTotals, toHost, toHostSummary } from './host.mapper.ts';
import { configSummaryOfHost, countHostKmods, type HostSets } from './host-inventory.queries.ts';
import { countHosts, hostById, type HostRow, hostsAmong, pageOfHosts } from './host-list.queries.ts';
import { HOST_EXPORT } from './host-export.ts';
import { findHost } from './host-lookup.ts';
import { nextHostsInOrder } from '../selectors/host-walk.queries.ts';
import type { hostListQuery } from './hosts.schema.ts';

type ListQuery = z.output<typeof hostListQuery>;

/** Reads hosts. Rows, counts and coverage of one answer come from one snapshot with one now(). */
@Injectable()
export class HostsService {
  readonly #database: DatabaseService;
  readonly #cursors: CursorService;
  readonly #ca: CertificateAuthority;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(CursorService) cursors: CursorService,
    @Inject(CertificateAuthority) ca: CertificateAuthority,
  ) {
    this.#database = database;
    this.#cursors = cursors;
    this.#ca = ca;
  }

  async list(query: ListQuery, hosts: HostScope): Promise<Omit<HostList, 'freeze'>> {
    const { limit, cursor, ...filters } = query;
    const scope = { list: 'hosts', ...filters };
    const filter = { ...filters, scope: hosts };
    const position = await this.#cursors.open(scope, cursor);
    const { counts, rows, facets } = await this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const page = await pageOfHosts(sql, filter, position?.key ?? null, limit);
      const ids = page.slice(0, limit).map((row) => row.id);
      return { counts: await countHosts(sql, filter), rows: page, facets: await facetsOf(sql, ids) };
    });
    const { matched, unknown, asOf, ...coverage } = counts;
    const shown = rows.slice(0, limit);
    const last = shown.at(-1);
    const more = rows.length > limit && last !== undefined;
    const asOfMs = position?.asOfMs ?? asOf.getTime();
    return {
      items: this.#summaries(shown, facets),
      nextCursor: more ? await this.#cursors.seal(scope, { key: [last.name, last.id], asOfMs }) : null,
      matched,
      unknown,
      asOf: asOf.toISOString(),
      coverage,
    };
  }

  /** The whole list, page by page. */
  exportOf(query: ListQuery): ExportList<HostSummary> {
    const { limit: _limit, cursor: _cursor, ...filters } = query;
    return {
      columns: HOST_EXPORT,
      page: (after, scope) =>
        this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
          const filter = { ...filters, scope };
          const step = await nextHostsInOrder(sql, filter, after, EXPORT_PAGE);
          const ids = step.map((host) => host.id);
          const rows = await hostsAmong(sql, filter, ids);
          const facets = await facetsOf(sql, ids);
          const last = step.length < EXPORT_PAGE ? undefined : step.at(-1);
          return { items: this.#summaries(rows, facets), next: last === undefined ? null : [last.name, last.id] };
        }),
    };
  }

  /** @throws AppError host_not_found, host_ambiguous, host_retired. */
  async show(idOrName: string, hosts: HostScope): Promise<HostAnswer> {
    return this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const { id } = await findHost(sql, idOrName, hosts);
      const row = await hostById(sql, id);
      if (row === undefined) throw new AppError('host_not_found', `no host has the id ${id}`);
      const facets = await facetsOf(sql, [id]);
      const sets = setsOf(facets);
      const config = (await configSummaryOfHost(sql, sets.config)) as ConfigSummary;
      return toHost(row, facets, await totals(sql, sets), config, await sightingsOf(sql, id), this.#cas());
    });
  }

  #summaries(rows: readonly HostRow[], facets: readonly FacetCoverageRow[]): HostSummary[] {
    const byHost = Map.groupBy(facets, (facet) => facet.hostId);
    const cas = this.#cas();
    return rows.map((row) => toHostSummary(row, byHost.get(row.id) ?? [], cas));
  }

  #cas(): string[] {
    return this.#ca.trusted.map((ca) => ca.id);
  }
}

/** The sets that a host last reported. */
export function setsOf(facets: readonly FacetCoverageRow[]): HostSets {
  const set = (facet: number): number | null => facets.find((each) => each.facet === facet)?.setId ?? null;
  return {
    loaded: set(FACET_NUMBERS.loaded),
    available: set(FACET_NUMBERS.available),
    devices: set(FACET_NUMBERS.devices),
    config: set(FACET_NUMBERS.config),
  };
}

/** Counts that rest on a facet never reported are null: zero would be an answer. What is on disk but not loaded needs both. */
export async function totals(sql: Sql, sets: HostSets): Promise<KmodTotals> {
  const counts = await countHostKmods(sql, sets);
  return {
    loaded: sets.loaded === null ? null : counts.loaded,
    builtin: sets.available === null ? null : counts.builtin,
    onDisk: sets.available === null || sets.loaded === null ? null : counts.on_disk,
  };
}
