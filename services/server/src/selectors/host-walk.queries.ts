import type { HostScope } from '../access/host-scope.ts';
import { scopeCondition } from '../access/host-scope.queries.ts';
import type { Sql } from '../database/database.service.ts';
import { SqlParams } from '../database/sql-params.ts';
import { chosen, type Selection, selectionSql } from './selection.queries.ts';

/**
 * Steps of a walk through all hosts. Each takes the next ones by (name, id) from an index, whatever a selector says of them, and asks about those alone: the walk
 * costs what its hosts cost. Rejected: pages of the hosts that match, each of which judges the whole fleet (100,000 hosts: 100 times).
 */
export async function nextHostsInOrder(
  sql: Sql,
  which: { readonly scope: HostScope; readonly includeRetired?: boolean | undefined },
  after: readonly (string | number)[] | null,
  limit: number,
): Promise<{ id: string; name: string }[]> {
  const params = new SqlParams();
  const conditions = [scopeCondition(which.scope, params)];
  if (which.includeRetired !== true) conditions.push('h.retired_at IS NULL');
  if (after !== null) conditions.push(`(h.name, h.id) > (${params.add(after[0])}, ${params.add(after[1])}::uuid)`);
  return sql.query(
    `SELECT h.id, h.name FROM host h WHERE ${conditions.join(' AND ')} ORDER BY h.name, h.id LIMIT ${params.add(limit)}`,
    params.values,
  );
}

/** Those of some hosts that are chosen; retired ones too. */
export async function chosenAmong(
  sql: Sql,
  selection: Selection,
  hostIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const params = new SqlParams();
  const selected = await selectionSql(sql, selection, params, [`h.id = ANY (${params.add(hostIds)}::uuid[])`]);
  const rows = await sql.query<{ id: string }>(
    `SELECT id FROM (${selected}) s WHERE ${chosen(selection)}`,
    params.values,
  );
  return new Set(rows.map((row) => row.id));
}
