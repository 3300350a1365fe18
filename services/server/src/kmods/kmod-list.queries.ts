import { setInScope } from '../access/host-scope.queries.ts';
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

/** Coverage of `loaded` over the chosen hosts; `selectorUnknown`: hosts left out because a fact in the selector is unknown of them. */
export async function coverageOfSelection(
  sql: Sql,
  selection: Selection,
): Promise<CoverageCounts & { asOf: Date; selectorUnknown: number }> {
  const params = new SqlParams();
  const selected = await selectionSql(sql, selection, params);
  const left = selection.includeUnknown ? '0::bigint' : '(SELECT count(*) FROM selected WHERE matches IS NULL)';
  const [row] = await sql.query<CoverageCounts & { asOf: Date; selectorUnknown: number }>(
    `WITH selected AS (${selected})
     SELECT now() AS "asOf", ${left} AS "selectorUnknown", ${COVERAGE_COUNT_COLUMNS}
       FROM (SELECT c.coverage FROM selected s JOIN facet_coverage c ON c.host_id = s.id AND c.facet = 1 WHERE ${chosen(selection)}) counted`,
    params.values,
  );
  if (row === undefined) throw new Error('an aggregate without a row');
  return row;
}

/**
 * Kmods by name with their counts. Hosts are grouped by the sets they share, and the counts are made over groups and the kmods of this page only.
 * What only a device shows (a driver bound without a kmod: built in, where the host's tree has no file of it) is added by host, by the same rules as
 * in kmod-standing.queries.ts; such code has no id where no kmod anywhere has its name.
 *
 * `facts` is materialised because each of its columns is used several times below: looking into the sets once a row takes about half the time.
 * Rejected: unnesting every host's set and grouping by kmod (10,000 equal hosts of 143 kmods: 1.4 million rows for one page of 100); grouping by the
 * devices too (addresses and names differ from host to host, so that there would be nearly as many groups as hosts).
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
    conditions.push(`n.name LIKE ${params.add(likeOfGlob(filter.name.replaceAll('-', '_')))}`);
  if (after !== null) conditions.push(`n.name > ${params.add(after)}`);
  const presence = params.add(filter.presence);
  return sql.query<KmodListRow>(
    `WITH selected AS (${selected}),
      hosts AS MATERIALIZED (
        SELECT fl.digest AS ld, fl.coverage = 'fresh' AS lf, fa.digest AS ad, fa.coverage = 'fresh' AS af, fd.digest AS dd, fd.coverage = 'fresh' AS df
          FROM selected s
          JOIN facet_coverage fl ON fl.host_id = s.id AND fl.facet = 1
          JOIN facet_coverage fa ON fa.host_id = s.id AND fa.facet = 3
          JOIN facet_coverage fd ON fd.host_id = s.id AND fd.facet = 4
         WHERE ${chosen(filter)}),
      groups AS MATERIALIZED (SELECT ld, lf, ad, af, count(*) AS n FROM hosts GROUP BY 1, 2, 3, 4),
      bound AS MATERIALIZED (
        SELECT DISTINCT set_digest, driver, replace(driver, '-', '_') AS folded FROM device_driver
         WHERE builtin AND kmod_id IS NULL AND driver <> '' AND set_digest IN (SELECT dd FROM hosts)),
      kmod_of AS (
        SELECT b.driver, k.name FROM (SELECT DISTINCT driver FROM bound) b
          CROSS JOIN LATERAL (SELECT DISTINCT o.kmod_id FROM device_driver o WHERE o.driver = b.driver AND o.kmod_id IS NOT NULL AND ${setInScope(filter.scope, 'o.set_digest', params)}) o
          JOIN kmod k ON k.id = o.kmod_id),
      by_device AS MATERIALIZED (
        SELECT b.set_digest, m.name FROM bound b JOIN kmod_of m ON m.driver = b.driver
        UNION
        SELECT set_digest, folded FROM bound
         WHERE folded ~ '^[A-Za-z0-9_]{1,55}$'
           AND (driver NOT IN (SELECT driver FROM kmod_of) OR EXISTS (SELECT FROM kmod k WHERE k.name = folded))),
      ids AS (
        SELECT unnest(kmod_ids) AS id FROM loaded_set WHERE digest IN (SELECT ld FROM groups) AND 'loaded' = ANY (${presence}::text[])
        UNION
        SELECT kmod_id FROM available_kmod
         WHERE set_digest IN (SELECT ad FROM groups) AND (CASE WHEN builtin THEN 'builtin' ELSE 'on_disk' END) = ANY (${presence}::text[])),
      names AS (
        SELECT k.name FROM ids JOIN kmod k ON k.id = ids.id
        UNION
        SELECT name FROM by_device WHERE 'builtin' = ANY (${presence}::text[])),
      page AS MATERIALIZED (
        SELECT n.name, k.id FROM names n LEFT JOIN kmod k ON k.name = n.name
         WHERE ${conditions.join(' AND ')} ORDER BY n.name LIMIT ${params.add(limit + 1)}),
      facts AS MATERIALIZED (
        SELECT p.name, g.n, g.lf, g.af, coalesce(s.kmod_ids @> ARRAY[p.id], false) AS has, coalesce(a.builtin, false) AS in_kernel,
               a.kmod_id IS NOT NULL AND NOT a.builtin AS is_file, g.ld IS NOT NULL AS reported
          FROM page p CROSS JOIN groups g
          LEFT JOIN loaded_set s ON s.digest = g.ld
          LEFT JOIN available_kmod a ON a.set_digest = g.ad AND a.kmod_id = p.id),
      decided AS (
        SELECT *, (lf AND has) OR (af AND in_kernel) OR (lf AND af) AS known FROM facts),
      counted AS (
        SELECT name,
               coalesce(sum(n) FILTER (WHERE lf AND has), 0) AS loaded,
               coalesce(sum(n) FILTER (WHERE NOT (lf AND has) AND af AND in_kernel), 0) AS builtin,
               coalesce(sum(n) FILTER (WHERE lf AND NOT has AND af AND is_file), 0) AS on_disk,
               coalesce(sum(n) FILTER (WHERE NOT known AND has), 0) AS last_loaded,
               coalesce(sum(n) FILTER (WHERE NOT known AND NOT has AND in_kernel), 0) AS last_builtin,
               coalesce(sum(n) FILTER (WHERE NOT known AND NOT has AND is_file AND reported), 0) AS last_on_disk
          FROM decided GROUP BY name),
      -- Hosts whose devices say it and whose fresh lists do not: what the groups above counted of them is set right.
      shown AS (
        SELECT p.name, h.df, h.lf AND h.af AS listed, coalesce(s.kmod_ids @> ARRAY[p.id], false) AS has, coalesce(a.builtin, false) AS in_kernel
          FROM page p
          JOIN by_device d ON d.name = p.name
          JOIN hosts h ON h.dd = d.set_digest
          LEFT JOIN loaded_set s ON s.digest = h.ld
          LEFT JOIN available_kmod a ON a.set_digest = h.ad AND a.kmod_id = p.id
         WHERE a.builtin IS NOT FALSE AND NOT (h.lf AND coalesce(s.kmod_ids @> ARRAY[p.id], false)) AND NOT (h.af AND coalesce(a.builtin, false))),
      added AS (
        SELECT name,
               count(*) FILTER (WHERE df) AS builtin,
               count(*) FILTER (WHERE df AND has) AS was_last_loaded,
               count(*) FILTER (WHERE df AND NOT has AND in_kernel) AS was_last_builtin,
               count(*) FILTER (WHERE NOT df AND NOT listed AND NOT has AND NOT in_kernel) AS last_builtin
          FROM shown GROUP BY name)
     SELECT c.name, c.loaded::bigint AS loaded, (c.builtin + coalesce(a.builtin, 0))::bigint AS builtin, c.on_disk::bigint AS "onDisk",
            (c.last_loaded - coalesce(a.was_last_loaded, 0))::bigint AS "lastLoaded",
            (c.last_builtin - coalesce(a.was_last_builtin, 0) + coalesce(a.last_builtin, 0))::bigint AS "lastBuiltin",
            c.last_on_disk::bigint AS "lastOnDisk"
       FROM counted c LEFT JOIN added a ON a.name = c.name ORDER BY c.name`,
    params.values,
  );
}
