import { setInScope } from '../access/host-scope.queries.ts';
import type { Sql } from '../database/database.service.ts';
import { likeOfGlob, SqlParams } from '../database/sql-params.ts';
import { COVERAGE_COUNT_COLUMNS, type CoverageCounts } from '../presence/coverage.queries.ts';
import { chosen, leftOutSql, type Selection, selectionSql } from '../selectors/selection.queries.ts';

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
  const selected = await selectionSql(
    sql,
    selection,
    params,
    ['h.retired_at IS NULL'],
    ['h.loaded_coverage AS coverage'],
  );
  const left = await leftOutSql(sql, selection, params);
  const [row] = await sql.query<CoverageCounts & { asOf: Date; selectorUnknown: number }>(
    `SELECT now() AS "asOf", ${left} AS "selectorUnknown", ${COVERAGE_COUNT_COLUMNS} FROM (${selected}) selected WHERE ${chosen(selection)}`,
    params.values,
  );
  if (row === undefined) throw new Error('an aggregate without a row');
  return row;
}

/** What the counts are made of, of `host_standing h`. */
const HOST_COLUMNS = [
  'h.loaded AS ld',
  `h.loaded_coverage = 'fresh' AS lf`,
  'h.available AS ad',
  `h.available_coverage = 'fresh' AS af`,
  'h.devices AS dd',
  `h.devices_coverage = 'fresh' AS df`,
];

/**
 * Kmods by name with their counts. Hosts are of one class when their trees, and what is fresh of them, are the same: there are a few for each kernel release.
 * For each class and build it is counted once how many hosts have the build loaded (`pairs`); everything else follows from these few numbers.
 * What only a device shows (a driver bound without a kmod: built in, where the host's tree has no file of it) is added by host, by the same rules as
 * in kmod-standing.queries.ts; such code has no id where no kmod anywhere has its name.
 *
 * Rejected: looking, for each kmod of the page and each distinct set, whether the set has it (5,000 hosts of 1,500 sets: 8.6 s for a page of 1,000); joining what
 * sets hold to the page before adding it up (20,000 hosts: more CPU for an entry than adding up all); asking the index for the sets of each build of the page (1,000
 * names have 11,000 builds: more than 15 s); grouping
 * by the devices too (addresses and names differ from host to host, so that there would be nearly as many groups as hosts).
 */
export async function pageOfKmods(
  sql: Sql,
  filter: KmodFilter,
  after: string | null,
  limit: number,
): Promise<KmodListRow[]> {
  const params = new SqlParams();
  const selected = await selectionSql(sql, filter, params, ['h.retired_at IS NULL'], HOST_COLUMNS);
  const conditions = ['true'];
  if (filter.name !== undefined)
    conditions.push(`n.name LIKE ${params.add(likeOfGlob(filter.name.replaceAll('-', '_')))}`);
  if (after !== null) conditions.push(`n.name > ${params.add(after)}`);
  const presence = params.add(filter.presence);
  return sql.query<KmodListRow>(
    `WITH hosts AS MATERIALIZED (SELECT * FROM (${selected}) h WHERE ${chosen(filter)}),
      groups AS MATERIALIZED (SELECT ld, lf, ad, af, count(*)::int AS n FROM hosts GROUP BY 1, 2, 3, 4),
      classes AS MATERIALIZED (
        SELECT row_number() OVER ()::int AS class, ad, af, lf, reported, n
          FROM (SELECT ad, af, lf, ld IS NOT NULL AS reported, sum(n) AS n FROM groups GROUP BY 1, 2, 3, 4) g),
      by_build AS MATERIALIZED (
        SELECT build, class, sum(n) AS n
          FROM (SELECT unnest(s.build_ids) AS build, c.class, g.n
                  FROM groups g
                  JOIN classes c ON coalesce(c.ad, ''::bytea) = coalesce(g.ad, ''::bytea) AND c.af = g.af AND c.lf = g.lf AND c.reported
                  JOIN loaded_set s ON s.digest = g.ld) u
         GROUP BY 1, 2),
      pairs AS MATERIALIZED (
        SELECT b.kmod_id, p.class, sum(p.n)::bigint AS n FROM by_build p JOIN kmod_build b ON b.id = p.build GROUP BY 1, 2),
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
        SELECT kmod_id AS id FROM pairs WHERE 'loaded' = ANY (${presence}::text[])
        UNION
        SELECT kmod_id FROM available_kmod
         WHERE set_digest IN (SELECT ad FROM classes) AND (CASE WHEN builtin THEN 'builtin' ELSE 'on_disk' END) = ANY (${presence}::text[])),
      names AS (
        SELECT k.name FROM ids JOIN kmod k ON k.id = ids.id
        UNION
        SELECT name FROM by_device WHERE 'builtin' = ANY (${presence}::text[])),
      page AS MATERIALIZED (
        SELECT n.name, k.id, (SELECT array_agg(b.id) FROM kmod_build b WHERE b.kmod_id = k.id) AS builds
          FROM names n LEFT JOIN kmod k ON k.name = n.name
         WHERE ${conditions.join(' AND ')} ORDER BY n.name LIMIT ${params.add(limit + 1)}),
      facts AS (
        SELECT p.name, c.lf, c.af, c.reported, coalesce(h.n, 0) AS has, c.n - coalesce(h.n, 0) AS lacks, coalesce(a.builtin, false) AS in_kernel,
               a.kmod_id IS NOT NULL AND NOT a.builtin AS is_file
          FROM page p CROSS JOIN classes c
          LEFT JOIN pairs h ON h.class = c.class AND h.kmod_id = p.id
          LEFT JOIN available_kmod a ON a.set_digest = c.ad AND a.kmod_id = p.id),
      counted AS (
        SELECT name,
               coalesce(sum(has) FILTER (WHERE lf), 0) AS loaded,
               coalesce(sum(CASE WHEN lf THEN lacks ELSE has + lacks END) FILTER (WHERE af AND in_kernel), 0) AS builtin,
               coalesce(sum(lacks) FILTER (WHERE lf AND af AND is_file), 0) AS on_disk,
               coalesce(sum(has) FILTER (WHERE NOT lf AND NOT (af AND in_kernel)), 0) AS last_loaded,
               coalesce(sum(lacks) FILTER (WHERE NOT af AND in_kernel), 0) AS last_builtin,
               coalesce(sum(lacks) FILTER (WHERE NOT (lf AND af) AND is_file AND reported), 0) AS last_on_disk
          FROM facts GROUP BY name),
      -- Hosts whose devices say it and whose fresh lists do not: what was counted of them above is set right.
      shown AS (
        SELECT p.name, h.df, h.lf AND h.af AS listed, coalesce(s.build_ids && p.builds, false) AS has, coalesce(a.builtin, false) AS in_kernel
          FROM page p
          JOIN by_device d ON d.name = p.name
          JOIN hosts h ON h.dd = d.set_digest
          LEFT JOIN loaded_set s ON s.digest = h.ld AND p.builds IS NOT NULL
          LEFT JOIN available_kmod a ON a.set_digest = h.ad AND a.kmod_id = p.id
         WHERE a.builtin IS NOT FALSE AND NOT (h.lf AND coalesce(s.build_ids && p.builds, false)) AND NOT (h.af AND coalesce(a.builtin, false))),
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
