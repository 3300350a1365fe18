import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import type { HostScope } from '../access/host-scope.ts';
import type { KmodPast, KmodPastHost } from '../api-types.ts';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { isoOrNull } from '../http/facet-words.ts';
import { presenceWords } from '../http/presence-query.ts';
import { resolveKmod } from '../kmods/kmod-resolution.ts';
import { LoadedSets } from '../sets/loaded-sets.ts';
import { CursorService } from '../paging/cursor.service.ts';
import { keptSince } from './history.queries.ts';
import type { kmodPastQuery } from './history.schema.ts';
import { type PastHostRow, type PastTally, readPastHosts } from './kmod-past.queries.ts';
import { pastTime } from './past-time.ts';

const PRESENCES = ['loaded', 'not_loaded', 'unknown'] as const;

/** Which hosts had a kmod loaded at some time. */
@Injectable()
export class KmodPastService {
  readonly #database: DatabaseService;
  readonly #cursors: CursorService;
  readonly #sets: LoadedSets;
  readonly #retentionDays: number;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(CursorService) cursors: CursorService,
    @Inject(LoadedSets) sets: LoadedSets,
    @Inject(SERVER_CONFIG) config: Pick<ServerConfig, 'eventRetentionDays'>,
  ) {
    this.#sets = sets;
    this.#database = database;
    this.#cursors = cursors;
    this.#retentionDays = config.eventRetentionDays;
  }

  /** @throws KmodNameError; SelectorError; AppError kmod_unknown, query_invalid, cursor_invalid, history_not_kept. */
  async past(
    requested: string,
    query: z.output<typeof kmodPastQuery>,
    hosts: HostScope,
  ): Promise<Omit<KmodPast, 'freeze'>> {
    const { limit, cursor, presence: words, at: text, ...chosen } = query;
    const presence = presenceWords(words, PRESENCES, ['loaded']);
    const scope = { list: 'kmod past', requested, presence, at: text, ...chosen };
    const position = await this.#cursors.open(scope, cursor);
    const read = await this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const kept = await keptSince(sql, this.#retentionDays);
      const at = pastTime(text, kept);
      const subject = await resolveKmod(sql, this.#sets, requested, hosts);
      if (subject.kmodId === null)
        throw new AppError(
          'kmod_unknown',
          `${subject.name} is a driver that is built in everywhere: it was never loaded, so nothing came and went`,
        );
      const page = { presence, after: position?.key ?? null, limit };
      const { tally, rows } = await readPastHosts(
        sql,
        this.#sets,
        subject.kmodId,
        at,
        { ...chosen, scope: hosts },
        page,
      );
      return { kept, at, subject, tally, rows };
    });
    const { kept, at, subject, tally } = read;
    const shown = read.rows.slice(0, limit);
    const last = shown.at(-1);
    const more = read.rows.length > limit && last !== undefined;
    const asOfMs = position?.asOfMs ?? tally.asOf.getTime();
    return {
      name: subject.name,
      requested: subject.requested,
      resolvedBy: subject.resolvedBy,
      at: at.toISOString(),
      asOf: tally.asOf.toISOString(),
      keptSince: kept.since.toISOString(),
      ...toCounts(tally),
      items: shown.map(toPastHost),
      nextCursor: more ? await this.#cursors.seal(scope, { key: [last.name, last.id], asOfMs }) : null,
    };
  }
}

/** Only hosts that were connected are known; the three add up to all. */
function toCounts(tally: PastTally): Pick<KmodPast, 'counts' | 'lastSeen' | 'selectorUnknown'> {
  const { loaded, notLoaded, lastLoaded, lastNotLoaded, selectorUnknown } = tally;
  return {
    counts: { loaded, notLoaded, unknown: tally.total - loaded - notLoaded },
    lastSeen: { loaded: lastLoaded, notLoaded: lastNotLoaded },
    selectorUnknown,
  };
}

function toPastHost(row: PastHostRow): KmodPastHost {
  return {
    host: { id: row.id, name: row.name },
    presence: row.presence,
    seen: row.seen,
    seenAt: isoOrNull(row.seenAt),
    seenNext: isoOrNull(row.seenNext),
    unknown: row.why,
  };
}
