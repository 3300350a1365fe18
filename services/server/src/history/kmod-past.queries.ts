/**
 * Where hosts stood to one kmod at some time: the first thing that happened to it on a host since then tells what was before; where nothing happened, it is
 * as it is now. Only `loaded` has a history: whether code was built in or on disk then is not on record.
 */
import type { Sql } from '../database/database.service.ts';
import { SqlParams } from '../database/sql-params.ts';
import { chosen, leftOutSql, type Selection, selectionSql } from '../selectors/selection.queries.ts';
import type { LoadedSets } from '../sets/loaded-sets.ts';
import { bitSql } from '../sets/set-bits.ts';
import { connectionsOf } from './history.queries.ts';

export type PastPresence = 'loaded' | 'not_loaded' | 'unknown';

export interface PastTally {
  readonly asOf: Date;
  readonly total: number;
  /** Connected then. */
  readonly loaded: number;
  readonly notLoaded: number;
  /** Not connected then; as it was when they were last seen. */
  readonly lastLoaded: number;
  readonly lastNotLoaded: number;
  readonly unknown: number;
  readonly selectorUnknown: number;
}

export interface PastHostRow {
  readonly id: string;
  readonly name: string;
  readonly presence: PastPresence;
  /** Connected at the time; false also where it is unknown. */
  readonly seen: boolean;
  readonly seenAt: Date | null;
  readonly seenNext: Date | null;
  /** Why nothing is known: as in past-standing.ts. */
  readonly why: 'before_joining' | 'before_first_report' | 'never_reported' | null;
}

/** CTE `standing` (one row a chosen host), and `left`, the number of hosts left out. The rules are those of past-standing.ts and rewind.ts; a test holds them together. */
async function pastStatement(
  sql: Sql,
  sets: LoadedSets,
  kmodId: number,
  at: Date,
  selection: Selection,
): Promise<{ readonly with: string; readonly left: string; readonly params: SqlParams }> {
  await sets.sync(sql);
  const params = new SqlParams();
  const selected = await selectionSql(
    sql,
    selection,
    params,
    ['NOT h.retired'],
    ['h.name', 'h.enrolled_at', 'h.loaded'],
  );
  const left = await leftOutSql(sql, selection, params);
  const id = `${params.add(kmodId)}::int`;
  const time = `${params.add(at)}::timestamptz`;
  return {
    params,
    left,
    with: `WITH selected AS (${selected}),
      first_since AS MATERIALIZED (
        SELECT DISTINCT ON (e.host_id) e.host_id, e.kind FROM kmod_event e
         WHERE e.kmod_id = ${id} AND e.at > ${time} AND e.kind IN (1, 2, 3) ORDER BY e.host_id, e.at, e.id),
      facts AS (
        SELECT h.id, h.name, c.within, c.last_before, c.first_after,
               CASE WHEN h.enrolled_at > ${time} THEN 'before_joining'
                    WHEN h.loaded IS NULL THEN 'never_reported'
                    WHEN NOT c.within AND c.last_before IS NULL THEN 'before_first_report' END AS why,
               CASE WHEN e.kind IS NOT NULL THEN e.kind <> 1 ELSE ${bitSql(sets.having(kmodId), 'h.loaded', params)} = 1 END AS was_loaded
          FROM selected h
          LEFT JOIN first_since e ON e.host_id = h.id
         CROSS JOIN LATERAL (
           SELECT coalesce(bool_or(c.seen_from <= ${time} AND c.seen_until >= ${time}), false) AS within,
                  max(c.seen_until) FILTER (WHERE c.seen_until < ${time}) AS last_before,
                  min(c.seen_from) FILTER (WHERE c.seen_from > ${time}) AS first_after
             FROM ${connectionsOf('h.id')} c) c
         WHERE ${chosen(selection)}),
      standing AS MATERIALIZED (
        SELECT id, name, why,
               CASE WHEN why IS NOT NULL THEN 'unknown' WHEN was_loaded THEN 'loaded' ELSE 'not_loaded' END AS presence,
               why IS NULL AND within AS seen,
               CASE WHEN why IS NULL THEN CASE WHEN within THEN ${time} ELSE last_before END END AS seen_at,
               CASE WHEN why IS NULL AND NOT within THEN first_after END AS seen_next
          FROM facts)`,
  };
}

/** The counts, and the hosts of these presences after `after` (name, id), one more than `limit` when there is a next page. */
export async function readPastHosts(
  sql: Sql,
  sets: LoadedSets,
  kmodId: number,
  at: Date,
  selection: Selection,
  page: {
    readonly presence: readonly PastPresence[];
    readonly after: readonly (string | number)[] | null;
    readonly limit: number;
  },
): Promise<{ tally: PastTally; rows: PastHostRow[] }> {
  const { with: text, left, params } = await pastStatement(sql, sets, kmodId, at, selection);
  const beyond =
    page.after === null ? 'true' : `(name, id) > (${params.add(page.after[0])}, ${params.add(page.after[1])}::uuid)`;
  const rows = await sql.query<PastTally & (PastHostRow | { id: null })>(
    `${text},
     tally AS (
       SELECT now() AS "asOf", count(*) AS total, ${left} AS "selectorUnknown",
              count(*) FILTER (WHERE seen AND presence = 'loaded') AS loaded, count(*) FILTER (WHERE seen AND presence = 'not_loaded') AS "notLoaded",
              count(*) FILTER (WHERE NOT seen AND presence = 'loaded') AS "lastLoaded",
              count(*) FILTER (WHERE NOT seen AND presence = 'not_loaded') AS "lastNotLoaded",
              count(*) FILTER (WHERE presence = 'unknown') AS unknown
         FROM standing),
     page AS (
       SELECT id, name, presence, seen, seen_at AS "seenAt", seen_next AS "seenNext", why FROM standing
        WHERE presence = ANY (${params.add(page.presence)}::text[]) AND ${beyond} ORDER BY name, id LIMIT ${params.add(page.limit + 1)})
     SELECT tally.*, page.* FROM tally LEFT JOIN page ON true ORDER BY name, id`,
    params.values,
  );
  const [first] = rows;
  if (first === undefined) throw new Error('an aggregate without a row');
  return { tally: first, rows: rows.filter((row) => row.id !== null) };
}
