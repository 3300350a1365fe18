import type { HostScope } from '../access/host-scope.ts';
import { scopeCondition } from '../access/host-scope.queries.ts';
import type { Sql } from '../database/database.service.ts';
import { SqlParams } from '../database/sql-params.ts';
import { chosen, selectionSql } from '../selectors/selection.queries.ts';

export interface EventRow {
  readonly id: number;
  readonly at: Date;
  /** With the microseconds that a JavaScript Date has not. */
  readonly at_text: string;
  readonly host_id: string;
  readonly host_name: string;
  readonly kmod: string;
  readonly kind: number;
  readonly action_id: string | null;
  readonly source: string;
  readonly detail: Record<string, unknown> | null;
}

/** Which events; what is left out narrows nothing. */
export interface EventFilter {
  readonly scope: HostScope;
  readonly hostId?: string | undefined;
  readonly selector?: string | undefined;
  readonly includeUnknown?: boolean | undefined;
  readonly kmod?: string | undefined;
  readonly kinds?: readonly number[] | undefined;
  /** Done by some action of ours, or by none. */
  readonly by?: 'action' | 'none' | undefined;
  readonly actionId?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

const COLUMNS = `e.id, e.at, to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at_text, e.host_id, h.name AS host_name,
  k.name AS kmod, e.kind, e.action_id, e.source, e.detail`;

/**
 * FROM and WHERE over `kmod_event e`, `kmod k`, `host h`. Retired hosts count: what they did is history. Without a selector the hosts are looked up one by one for
 * the events that are read; with one, the hosts that match are found first.
 */
async function eventsWhere(sql: Sql, filter: EventFilter, params: SqlParams): Promise<string> {
  const joins = ['kmod_event e JOIN kmod k ON k.id = e.kmod_id JOIN host h ON h.id = e.host_id'];
  const conditions: string[] = [];
  if (filter.selector === undefined) conditions.push(scopeCondition(filter.scope, params));
  else {
    joins.push(`JOIN (${await selectionSql(sql, filter, params, [])}) chosen ON chosen.id = e.host_id`);
    conditions.push(chosen({ includeUnknown: filter.includeUnknown === true }));
  }
  conditions.push(...eventConditions(filter, params));
  return `FROM ${joins.join(' ')} WHERE ${conditions.join(' AND ')}`;
}

/** Conditions over `kmod_event e` alone. */
function eventConditions(filter: EventFilter, params: SqlParams): string[] {
  const conditions: string[] = [];
  if (filter.hostId !== undefined) conditions.push(`e.host_id = ${params.add(filter.hostId)}::uuid`);
  if (filter.kmod !== undefined)
    conditions.push(`e.kmod_id = (SELECT id FROM kmod WHERE name = ${params.add(filter.kmod)})`);
  if (filter.kinds !== undefined) conditions.push(`e.kind = ANY (${params.add(filter.kinds)}::smallint[])`);
  if (filter.by !== undefined) conditions.push(`e.action_id IS ${filter.by === 'action' ? 'NOT NULL' : 'NULL'}`);
  if (filter.actionId !== undefined) conditions.push(`e.action_id = ${params.add(filter.actionId)}::uuid`);
  if (filter.since !== undefined) conditions.push(`e.at >= ${params.add(filter.since)}::timestamptz`);
  if (filter.until !== undefined) conditions.push(`e.at < ${params.add(filter.until)}::timestamptz`);
  return conditions;
}

/** Newest first, by (at, id), after `after`; at most `limit`. The partitions are read from the newest on, each by one of its indexes. */
export async function pageOfEvents(
  sql: Sql,
  filter: EventFilter,
  after: { readonly at: string; readonly id: number } | undefined,
  limit: number,
): Promise<EventRow[]> {
  const params = new SqlParams();
  const where = await eventsWhere(sql, filter, params);
  const beyond =
    after === undefined
      ? ''
      : `AND (e.at, e.id) < (${params.add(after.at)}::timestamptz, ${params.add(after.id)}::bigint)`;
  return sql.query<EventRow>(
    `SELECT ${COLUMNS} ${where} ${beyond} ORDER BY e.at DESC, e.id DESC LIMIT ${params.add(limit)}`,
    params.values,
  );
}

export interface ChangedHostRow {
  readonly host_id: string;
  readonly host_name: string;
  readonly events: number;
  readonly loaded: number;
  readonly unloaded: number;
  readonly changed: number;
  readonly by_actions: number;
  readonly kmods: string[];
  readonly kmod_count: number;
  readonly first_at: Date;
  readonly last_at: Date;
}

/** Kmods that a row of {@link pageOfChangedHosts} names. */
const KMODS_NAMED = 20;

/**
 * Hosts with at least one such event, by (name, id) after `after`; at most `limit`. Which hosts have one is found first, then those of the page by a walk through the
 * index of names, and only their events are counted. Rejected: counting them all, and joining each to its host: 100,000 hosts are read for it.
 */
export async function pageOfChangedHosts(
  sql: Sql,
  filter: EventFilter,
  after: readonly (string | number)[] | undefined,
  limit: number,
): Promise<ChangedHostRow[]> {
  const params = new SqlParams();
  const events = eventConditions(filter, params).join(' AND ') || 'true';
  const hosts = ['h.id IN (SELECT host_id FROM changed)'];
  if (after !== undefined) hosts.push(`(h.name, h.id) > (${params.add(after[0])}, ${params.add(after[1])}::uuid)`);
  if (filter.selector === undefined) hosts.push(scopeCondition(filter.scope, params));
  else
    hosts.push(
      `h.id IN (SELECT id FROM (${await selectionSql(sql, filter, params, ['h.id IN (SELECT host_id FROM changed)'])}) s WHERE ${chosen({ includeUnknown: filter.includeUnknown === true })})`,
    );
  return sql.query<ChangedHostRow>(
    `WITH changed AS MATERIALIZED (SELECT DISTINCT e.host_id FROM kmod_event e WHERE ${events}),
      page AS MATERIALIZED (SELECT h.id, h.name FROM host h WHERE ${hosts.join(' AND ')} ORDER BY h.name, h.id LIMIT ${params.add(limit)})
     SELECT p.id AS host_id, p.name AS host_name, count(*) AS events, count(*) FILTER (WHERE e.kind = 1) AS loaded, count(*) FILTER (WHERE e.kind = 2) AS unloaded,
            count(*) FILTER (WHERE e.kind = 3) AS changed, count(e.action_id) AS by_actions,
            (array_agg(DISTINCT k.name ORDER BY k.name))[1:${KMODS_NAMED}] AS kmods, count(DISTINCT k.name) AS kmod_count, min(e.at) AS first_at, max(e.at) AS last_at
       FROM page p JOIN kmod_event e ON e.host_id = p.id JOIN kmod k ON k.id = e.kmod_id WHERE ${events}
      GROUP BY p.name, p.id ORDER BY p.name, p.id`,
    params.values,
  );
}

/** How far somebody who follows has read: everything of transactions before `transaction`, and of that one up to `id`. */
export interface FollowPosition {
  readonly transaction: number;
  readonly id: number;
}

export interface Followed {
  /** The oldest transaction that has not ended: events before it are complete. */
  readonly edge: number;
  readonly asOf: Date;
  readonly rows: readonly (EventRow & { readonly stored_by: number })[];
}

/**
 * Events stored after `position`, in the order of (stored_by, id), at most `limit`.
 *
 * INVARIANT: no event is ever stored before one that was read: those of transactions that run beside one that has not ended wait for it. Rejected: following the
 * number alone, or `at`: both become visible in another order than they grow, and what a slow transaction stores would be passed over.
 */
export async function eventsAfter(
  sql: Sql,
  filter: EventFilter,
  position: FollowPosition,
  limit: number,
): Promise<Followed> {
  const params = new SqlParams();
  const where = await eventsWhere(sql, filter, params);
  const from = `${params.add(String(position.transaction))}::xid8`;
  const rows = await sql.query<{ edge: number; as_of: Date } & (Followed['rows'][number] | { id: null })>(
    `WITH edge AS MATERIALIZED (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xid)
     SELECT edge.xid::text::bigint AS edge, now() AS as_of, found.*
       FROM edge LEFT JOIN LATERAL (
         SELECT ${COLUMNS}, e.stored_by::text::bigint AS stored_by
         ${where} AND e.stored_by >= ${from} AND e.stored_by < edge.xid AND (e.stored_by > ${from} OR e.id > ${params.add(position.id)}::bigint)
          ORDER BY e.stored_by, e.id LIMIT ${params.add(limit)}) found ON true
      ORDER BY found.stored_by, found.id`,
    params.values,
  );
  const [first] = rows;
  if (first === undefined) throw new Error('a snapshot without an edge');
  return { edge: first.edge, asOf: first.as_of, rows: rows.filter((row) => row.id !== null) };
}

/** The oldest transaction that has not ended: who begins to follow here misses nothing that is stored from now on. */
export async function followEdge(sql: Sql): Promise<number> {
  const [row] = await sql.query<{ edge: number }>(
    'SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS edge',
  );
  if (row === undefined) throw new Error('a snapshot without an edge');
  return row.edge;
}
