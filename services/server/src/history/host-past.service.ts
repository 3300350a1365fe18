import { Inject, Injectable } from '@nestjs/common';
import type { HostScope } from '../access/host-scope.ts';
import type { HostPast, PastKmod as PastKmodJson } from '../api-types.ts';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { findHost } from '../hosts/host-lookup.ts';
import { isoOrNull, orNull } from '../http/facet-words.ts';
import { entriesOfSet } from '../ingest/flush.queries.ts';
import { eventsSince, hostNow, keptSince, seenAround } from './history.queries.ts';
import { pastStanding, type PastStanding } from './past-standing.ts';
import { pastTime } from './past-time.ts';
import { type PastKmod, rewind } from './rewind.ts';

/** What one host had loaded at some time. */
@Injectable()
export class HostPastService {
  readonly #database: DatabaseService;
  readonly #retentionDays: number;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(SERVER_CONFIG) config: Pick<ServerConfig, 'eventRetentionDays'>,
  ) {
    this.#database = database;
    this.#retentionDays = config.eventRetentionDays;
  }

  /** @throws AppError host_not_found, host_ambiguous, host_retired, query_invalid, history_not_kept. */
  async past(idOrName: string, text: string, hosts: HostScope): Promise<Omit<HostPast, 'freeze'>> {
    return this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const kept = await keptSince(sql, this.#retentionDays);
      const at = pastTime(text, kept);
      const host = await findHost(sql, idOrName, hosts);
      const present = await hostNow(sql, host.id);
      const loaded = present?.loaded ?? null;
      const standing = pastStanding(
        at,
        present?.enrolledAt ?? kept.now,
        loaded !== null,
        await seenAround(sql, host.id, at),
      );
      const answer = {
        host: { id: host.id, name: host.name },
        at: at.toISOString(),
        asOf: kept.now.toISOString(),
        keptSince: kept.since.toISOString(),
        ...toPastSeen(standing, at),
      };
      if (standing.kind === 'unknown' || loaded === null) return { ...answer, kmods: null };
      const kmods = rewind((await entriesOfSet(sql, loaded)) ?? {}, await eventsSince(sql, host.id, at));
      return { ...answer, kmods: kmods.map(toPastKmod) };
    });
  }
}

/** How a standing is said in answers. */
export function toPastSeen(
  standing: PastStanding,
  at: Date,
): Pick<HostPast, 'seen' | 'seenAt' | 'seenNext' | 'unknown'> {
  switch (standing.kind) {
    case 'seen':
      return { seen: true, seenAt: at.toISOString(), seenNext: null, unknown: null };
    case 'away':
      return {
        seen: false,
        seenAt: standing.seenAt.toISOString(),
        seenNext: isoOrNull(standing.seenNext),
        unknown: null,
      };
    case 'unknown':
      return { seen: false, seenAt: null, seenNext: null, unknown: standing.why };
  }
}

function toPastKmod({ name, entry, whole }: PastKmod): PastKmodJson {
  return {
    name,
    buildId: orNull(entry?.buildId),
    size: entry?.size ?? null,
    taint: entry?.taint ?? null,
    version: orNull(entry?.version),
    srcversion: orNull(entry?.srcversion),
    whole,
  };
}
