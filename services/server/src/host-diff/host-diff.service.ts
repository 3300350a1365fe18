import { decodeFacet, Facet } from '@modfleet/proto';
import { Inject, Injectable } from '@nestjs/common';
import type { HostScope } from '../access/host-scope.ts';
import type { HostDiff } from '../api-types.ts';
import { databaseTime } from '../database/clock.queries.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { FACET_NUMBERS, isoOrNull } from '../http/facet-words.ts';
import { parametersOfHost } from '../hosts/host-inventory.queries.ts';
import { decodeParameters } from '../hosts/host-inventory.mapper.ts';
import { findHost } from '../hosts/host-lookup.ts';
import { entriesOfSet } from '../ingest/flush.queries.ts';
import { type FacetCoverageRow, facetsOf } from '../presence/coverage.queries.ts';
import { configValue, devicesOfSet, kernelOfHost } from './host-diff.queries.ts';
import { diffHosts, type HostSide } from './host-diff.ts';

const COMPARED = ['loaded', 'parameters', 'config', 'devices'] as const;

/** In what two hosts differ, by what they last reported. */
@Injectable()
export class HostDiffService {
  readonly #database: DatabaseService;
  constructor(@Inject(DatabaseService) database: DatabaseService) {
    this.#database = database;
  }

  /** @throws AppError host_not_found, host_ambiguous, host_retired. */
  async diff(first: string, second: string, scope: HostScope): Promise<Omit<HostDiff, 'freeze'>> {
    return this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const a = await findHost(sql, first, scope);
      const b = await findHost(sql, second, scope);
      const facetRows = await facetsOf(sql, [a.id, b.id]);
      const [left, right] = [
        facetRows.filter(({ hostId }) => hostId === a.id),
        facetRows.filter(({ hostId }) => hostId === b.id),
      ];
      const differences = diffHosts(await sideOf(sql, a.id, left), await sideOf(sql, b.id, right));
      const facets = COMPARED.map((facet) => ({
        facet,
        a: standingOf(left, FACET_NUMBERS[facet]),
        b: standingOf(right, FACET_NUMBERS[facet]),
      }));
      const isFresh = facets.every((facet) => facet.a.coverage === 'fresh' && facet.b.coverage === 'fresh');
      return {
        a: { id: a.id, name: a.name },
        b: { id: b.id, name: b.name },
        asOf: (await databaseTime(sql)).toISOString(),
        same: isFresh && Object.values(differences).every((list) => list?.length === 0),
        facets,
        ...differences,
      };
    });
  }
}

async function sideOf(sql: Sql, hostId: string, facets: readonly FacetCoverageRow[]): Promise<HostSide> {
  const of = (facet: number): FacetCoverageRow | undefined => facets.find((each) => each.facet === facet);
  const [loaded, config, devices] = [
    of(FACET_NUMBERS.loaded)?.setId ?? null,
    of(FACET_NUMBERS.config)?.setId ?? null,
    of(FACET_NUMBERS.devices)?.setId ?? null,
  ];
  const parameters =
    (of(FACET_NUMBERS.parameters)?.digest ?? null) === null ? undefined : await parametersOfHost(sql, hostId);
  const configBytes = config === null ? undefined : await configValue(sql, config);
  return {
    kernel: await kernelOfHost(sql, hostId),
    loaded: loaded === null ? undefined : await entriesOfSet(sql, loaded),
    parameters: parameters === undefined ? undefined : decodeParameters(parameters),
    config: configBytes === undefined ? undefined : decodeFacet(Facet.FACET_CONFIG, configBytes),
    devices: devices === null ? undefined : await devicesOfSet(sql, devices),
  };
}

function standingOf(facets: readonly FacetCoverageRow[], number: number): HostDiff['facets'][number]['a'] {
  const facet = facets.find((each) => each.facet === number);
  // A retired host has no coverage any more.
  if (facet === undefined) return { coverage: 'silent', observedAt: null, reason: 'retired' };
  return { coverage: facet.coverage, observedAt: isoOrNull(facet.observedAt), reason: facet.reason };
}
