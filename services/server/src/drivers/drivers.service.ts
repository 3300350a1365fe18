import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import type { HostScope } from '../access/host-scope.ts';
import type { DriverHost, DriverHostList } from '../api-types.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { nearest } from '../errors/nearest.ts';
import { ageMs, isoOrNull } from '../http/facet-words.ts';
import { presenceWords } from '../http/presence-query.ts';
import { CursorService } from '../paging/cursor.service.ts';
import {
  allDriverNames,
  type DriverHostRow,
  driverSpellings,
  type DriverTally,
  pageOfDriverHosts,
  tallyDriver,
} from './driver-hosts.queries.ts';
import type { driverHostsQuery } from './drivers.schema.ts';

const PRESENCES = ['bound', 'builtin', 'none', 'unknown'] as const;

/** Answers "which hosts run a driver", built in or not. */
@Injectable()
export class DriversService {
  readonly #database: DatabaseService;
  readonly #cursors: CursorService;

  constructor(@Inject(DatabaseService) database: DatabaseService, @Inject(CursorService) cursors: CursorService) {
    this.#database = database;
    this.#cursors = cursors;
  }

  /** @throws SelectorError; AppError driver_unknown, query_invalid, cursor_invalid. */
  async hosts(
    requested: string,
    query: z.output<typeof driverHostsQuery>,
    hosts: HostScope,
  ): Promise<Omit<DriverHostList, 'freeze'>> {
    const { limit, cursor, presence: words, ...chosen } = query;
    const selection = { ...chosen, scope: hosts };
    const presence = presenceWords(words, PRESENCES, ['bound', 'builtin']);
    const scope = { list: 'driver hosts', requested, presence, ...chosen };
    const position = await this.#cursors.open(scope, cursor);
    const read = await this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const spellings = await driverSpellings(sql, requested.replaceAll('-', '_'), hosts);
      if (spellings.length === 0) throw await unknown(sql, requested, hosts);
      const drivers = [...new Set(spellings.map((row) => row.driver))];
      const rows = await pageOfDriverHosts(sql, drivers, selection, presence, position?.key ?? null, limit);
      return { spellings, drivers, rows, tally: await tallyDriver(sql, drivers, selection) };
    });
    const name = read.drivers.includes(requested) ? requested : (read.drivers[0] ?? requested);
    const shown = read.rows.slice(0, limit);
    const last = shown.at(-1);
    const more = read.rows.length > limit && last !== undefined;
    const asOfMs = position?.asOfMs ?? read.tally.asOf.getTime();
    return {
      name,
      kmods: [...new Set(read.spellings.map((row) => row.kmod).filter((kmod) => kmod !== null))],
      items: shown.map((row) => toDriverHost(row, name, read.tally.asOf)),
      nextCursor: more ? await this.#cursors.seal(scope, { key: [last.name, last.id], asOfMs }) : null,
      ...toDriverTally(read.tally),
    };
  }
}

function toDriverHost(row: DriverHostRow, name: string, asOf: Date): DriverHost {
  return {
    host: { id: row.id, name: row.name },
    presence: row.last,
    driver: row.driver ?? name,
    kmod: row.kmod,
    builtin: row.last === 'builtin',
    devices: row.devices ?? [],
    known: row.coverage === 'fresh',
    coverage: row.coverage,
    observedAt: isoOrNull(row.observed_at),
    ageMs: ageMs(asOf, row.observed_at),
    reason: row.reason,
    kernelRelease: row.kernel_release,
  };
}

function toDriverTally(
  tally: DriverTally,
): Pick<DriverHostList, 'counts' | 'lastSeen' | 'coverage' | 'asOf' | 'selectorUnknown'> {
  const { bound, builtin, none, total, fresh, stale, silent, incapable } = tally;
  return {
    counts: { bound, builtin, none, unknown: total - bound - builtin - none },
    lastSeen: { bound: tally.lastBound, builtin: tally.lastBuiltin, none: tally.lastNone },
    selectorUnknown: tally.selectorUnknown,
    coverage: { total, fresh, stale, silent, incapable },
    asOf: tally.asOf.toISOString(),
  };
}

async function unknown(sql: Sql, requested: string, hosts: HostScope): Promise<AppError> {
  const candidates = nearest(requested, await allDriverNames(sql, hosts));
  const hint =
    candidates.length === 0
      ? 'a kmod without devices has none: ask for the kmod instead'
      : `did you mean ${candidates.join(', ')}?`;
  const detail = `no host has reported a device bound to a driver named ${JSON.stringify(requested.slice(0, 80))}; ${hint}`;
  return new AppError('driver_unknown', detail, candidates.length === 0 ? {} : { candidates });
}
