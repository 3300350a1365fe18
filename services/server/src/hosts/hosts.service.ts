import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import type { HostScope } from '../access/host-scope.ts';
import type { HostList } from '../api-types.ts';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { FACET_NUMBERS } from '../http/facet-words.ts';
import { CursorService } from '../paging/cursor.service.ts';
import { sightingsOf } from '../quarantine/quarantine.queries.ts';
import { type FacetCoverageRow, facetsOf } from '../presence/coverage.queries.ts';
import { type ConfigSummary, type HostAnswer, type KmodTotals, toHost, toHostSummary } from './host.mapper.ts';
import { configSummaryOfHost, countHostKmods, type HostDigests } from './host-inventory.queries.ts';
import { countHosts, hostById, pageOfHosts } from './host-list.queries.ts';
import { findHost } from './host-lookup.ts';
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
      items: shown.map((row) =>
        toHostSummary(
          row,
          facets.filter((facet) => facet.hostId === row.id),
          this.#cas(),
        ),
      ),
      nextCursor: more ? await this.#cursors.seal(scope, { key: [last.name, last.id], asOfMs }) : null,
      matched,
      unknown,
      asOf: asOf.toISOString(),
      coverage,
    };
  }

  /** @throws AppError host_not_found, host_ambiguous, host_retired. */
  async show(idOrName: string, hosts: HostScope): Promise<HostAnswer> {
    return this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const { id } = await findHost(sql, idOrName, hosts);
      const row = await hostById(sql, id);
      if (row === undefined) throw new AppError('host_not_found', `no host has the id ${id}`);
      const facets = await facetsOf(sql, [id]);
      const digests = digestsOf(facets);
      const config = (await configSummaryOfHost(sql, digests.config)) as ConfigSummary;
      return toHost(row, facets, await totals(sql, digests), config, await sightingsOf(sql, id), this.#cas());
    });
  }

  #cas(): string[] {
    return this.#ca.trusted.map((ca) => ca.id);
  }
}

/** The sets that a host last reported. */
export function digestsOf(facets: readonly FacetCoverageRow[]): HostDigests {
  const digest = (facet: number): Buffer | null => facets.find((each) => each.facet === facet)?.digest ?? null;
  return {
    loaded: digest(FACET_NUMBERS.loaded),
    available: digest(FACET_NUMBERS.available),
    devices: digest(FACET_NUMBERS.devices),
    config: digest(FACET_NUMBERS.config),
  };
}

/** Counts that rest on a facet never reported are null: zero would be an answer. What is on disk but not loaded needs both. */
export async function totals(sql: Sql, digests: HostDigests): Promise<KmodTotals> {
  const counts = await countHostKmods(sql, digests);
  return {
    loaded: digests.loaded === null ? null : counts.loaded,
    builtin: digests.available === null ? null : counts.builtin,
    onDisk: digests.available === null || digests.loaded === null ? null : counts.on_disk,
  };
}
