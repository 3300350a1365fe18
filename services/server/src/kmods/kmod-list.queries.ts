import type { Sql } from '../database/database.service.ts';
import { likeOfGlob, SqlParams } from '../database/sql-params.ts';
import { COVERAGE_COUNT_COLUMNS, type CoverageCounts } from '../presence/coverage.queries.ts';
import { chosen, type Selection, selectionSql } from '../selectors/selection.queries.ts';

export interface KmodFilter extends Selection {
  readonly name?: string | undefined;
  readonly presence: readonly string[];
}

export interface KmodListRow {
  readonly name: string;
  readonly loaded: number;
  readonly builtin: number;
  readonly onDisk: number;
  readonly lastLoaded: number;
  readonly lastBuiltin: number;
  readonly lastOnDisk: number;
}

export async function coverageOfSelection(sql: Sql, selection: Selection): Promise<CoverageCounts & { asOf: Date }> {
  const params = new SqlParams();
  const selected = await selectionSql(sql, selection, params);
  const [row] = await sql.query<CoverageCounts & { asOf: Date }>(
    `WITH selected AS (${selected})
     SELECT now() AS "asOf", ${COVERAGE_COUNT_COLUMNS}
       FROM (SELECT c.coverage FROM selected s JOIN facet_coverage c ON c.host_id = s.id AND c.facet = 1 WHERE ${chosen(selection)}) counted`,
    params.values,
  );
  if (row === undefined) throw new Error('an aggregate without a row');
  return row;
}

/**
 * Kmods by name with their counts. Hosts are grouped by the sets they share, and the counts are made over groups and the kmods of this page only.
 *
 * `facts` is materialised because each of its columns is used several times below: looking into the sets once a row takes about half the time.
 * Rejected: unnesting every host's set and grouping by kmod (10,000 equal hosts of 143 kmods: 1.4 million rows for one page of 100).
 */
export async function pageOfKmods(
  sql: Sql,
  filter: KmodFilter,
  after: string | null,
  limit: number,
): Promise<KmodListRow[]> {
  const params = new SqlParams();
  const selected = await selectionSql(sql, filter, params);
  const conditions = ['true'];
  if (filter.name !== undefined)
    conditions.push(`k.name LIKE ${params.add(likeOfGlob(filter.name.replaceAll('-', '_')))}`);
  if (after !== null) conditions.push(`k.name > ${params.add(after)}`);
  const presence = params.add(filter.presence);
  return sql.query<KmodListRow>(
    `WITH selected AS (${selected}),
      groups AS MATERIALIZED (
        SELECT fl.digest AS ld, fl.coverage = 'fresh' AS lf, fa.digest AS ad, fa.coverage = 'fresh' AS af, count(*) AS n
          FROM selected s
          JOIN facet_coverage fl ON fl.host_id = s.id AND fl.facet = 1
          JOIN facet_coverage fa ON fa.host_id = s.id AND fa.facet = 3
         WHERE ${chosen(filter)} GROUP BY 1, 2, 3, 4),
      ids AS (
        SELECT unnest(kmod_ids) AS id FROM loaded_set WHERE digest IN (SELECT ld FROM groups) AND 'loaded' = ANY (${presence}::text[])
        UNION
        SELECT kmod_id FROM available_kmod
         WHERE set_digest IN (SELECT ad FROM groups) AND (CASE WHEN builtin THEN 'builtin' ELSE 'on_disk' END) = ANY (${presence}::text[])),
      page AS MATERIALIZED (
        SELECT k.id, k.name FROM ids JOIN kmod k ON k.id = ids.id WHERE ${conditions.join(' AND ')} ORDER BY k.name LIMIT ${params.add(limit + 1)}),
      facts AS MATERIALIZED (
        SELECT p.name, g.n, g.lf, g.af, coalesce(s.kmod_ids @> ARRAY[p.id], false) AS has, coalesce(a.builtin, false) AS in_kernel,
               a.kmod_id IS NOT NULL AND NOT a.builtin AS is_file, g.ld IS NOT NULL AS reported
          FROM page p CROSS JOIN groups g
          LEFT JOIN loaded_set s ON s.digest = g.ld
          LEFT JOIN available_kmod a ON a.set_digest = g.ad AND a.kmod_id = p.id),
      decided AS (
        SELECT *, (lf AND has) OR (af AND in_kernel) OR (lf AND af) AS known FROM facts)
     SELECT name,
            coalesce(sum(n) FILTER (WHERE lf AND has), 0)::bigint AS loaded,
            coalesce(sum(n) FILTER (WHERE NOT (lf AND has) AND af AND in_kernel), 0)::bigint AS builtin,
            coalesce(sum(n) FILTER (WHERE lf AND NOT has AND af AND is_file), 0)::bigint AS "onDisk",
            coalesce(sum(n) FILTER (WHERE NOT known AND has), 0)::bigint AS "lastLoaded",
            coalesce(sum(n) FILTER (WHERE NOT known AND NOT has AND in_kernel), 0)::bigint AS "lastBuiltin",
            coalesce(sum(n) FILTER (WHERE NOT known AND NOT has AND is_file AND reported), 0)::bigint AS "lastOnDisk"
       FROM decided GROUP BY name ORDER BY name`,
    params.values,
  );
}
