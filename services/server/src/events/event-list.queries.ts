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
  if (filter.hostId !== undefined) conditions.push(`e.host_id = ${params.add(filter.hostId)}::uuid`);
  if (filter.kmod !== undefined)
    conditions.push(`e.kmod_id = (SELECT id FROM kmod WHERE name = ${params.add(filter.kmod)})`);
  if (filter.kinds !== undefined) conditions.push(`e.kind = ANY (${params.add(filter.kinds)}::smallint[])`);
  if (filter.by !== undefined) conditions.push(`e.action_id IS ${filter.by === 'action' ? 'NOT NULL' : 'NULL'}`);
  if (filter.actionId !== undefined) conditions.push(`e.action_id = ${params.add(filter.actionId)}::uuid`);
  if (filter.since !== undefined) conditions.push(`e.at >= ${params.add(filter.since)}::timestamptz`);
  if (filter.until !== undefined) conditions.push(`e.at < ${params.add(filter.until)}::timestamptz`);
  return `FROM ${joins.join(' ')} WHERE ${conditions.join(' AND ')}`;
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

/** Hosts with at least one such event, by (name, id) after `after`; at most `limit`. */
export async function pageOfChangedHosts(
  sql: Sql,
  filter: EventFilter,
  after: readonly (string | number)[] | undefined,
  limit: number,
): Promise<ChangedHostRow[]> {
  const params = new SqlParams();
  const where = await eventsWhere(sql, filter, params);
  const beyond =
    after === undefined ? '' : `AND (h.name, h.id) > (${params.add(after[0])}, ${params.add(after[1])}::uuid)`;
  return sql.query<ChangedHostRow>(
    `SELECT host_id, host_name, sum(n)::bigint AS events, coalesce(sum(n) FILTER (WHERE kind = 1), 0)::bigint AS loaded,
            coalesce(sum(n) FILTER (WHERE kind = 2), 0)::bigint AS unloaded, coalesce(sum(n) FILTER (WHERE kind = 3), 0)::bigint AS changed,
            sum(ours)::bigint AS by_actions,
            (array_agg(DISTINCT kmod ORDER BY kmod))[1:${KMODS_NAMED}] AS kmods, count(DISTINCT kmod) AS kmod_count,
            min(first_at) AS first_at, max(last_at) AS last_at
       FROM (SELECT h.id AS host_id, h.name AS host_name, k.name AS kmod, e.kind, count(*) AS n, count(e.action_id) AS ours,
                    min(e.at) AS first_at, max(e.at) AS last_at
               ${where} ${beyond} GROUP BY h.id, h.name, k.name, e.kind) counted
      GROUP BY host_id, host_name ORDER BY host_name, host_id LIMIT ${params.add(limit)}`,
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
