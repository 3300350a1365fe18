import { setInScope } from '../access/host-scope.queries.ts';
import type { Sql } from '../database/database.service.ts';
import { likeOfGlob, SqlParams } from '../database/sql-params.ts';
import { type CoverageCounts, SUMMED_COVERAGE_COLUMNS } from '../presence/coverage.queries.ts';
import { countedByKey, coverageOfKey, KEY_COLUMNS, keySql, REPLICA_OF_KEY } from '../presence/standing-key.queries.ts';
import { chosen, leftOutSql, type Selection, selectionSql } from '../selectors/selection.queries.ts';
import { sumsOf, type LoadedSets, type SetGroup } from '../sets/loaded-sets.ts';
import { groupBytes, groupsFrom } from '../sets/set-groups.queries.ts';

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
  const selected = await selectionSql(sql, selection, params, ['NOT h.retired'], KEY_COLUMNS);
  const left = await leftOutSql(sql, selection, params);
  const [row] = await sql.query<CoverageCounts & { asOf: Date; selectorUnknown: number }>(
    `WITH keys AS MATERIALIZED (${countedByKey(`(${selected}) h WHERE ${chosen(selection)}`)}),
      standing AS (SELECT n, ${coverageOfKey('loaded')} AS coverage FROM keys ${REPLICA_OF_KEY})
     SELECT now() AS "asOf", ${left} AS "selectorUnknown", ${SUMMED_COVERAGE_COLUMNS} FROM standing`,
    params.values,
  );
  if (row === undefined) throw new Error('an aggregate without a row');
  return row;
}

/** Hosts whose trees, and what is fresh of them, are the same; `reported`: they have said what they have loaded. There are a few classes for each kernel release. */
interface HostClass {
  readonly class: number;
  readonly ad: number | null;
  readonly af: boolean;
  readonly lf: boolean;
  readonly reported: boolean;
  readonly n: number;
}

/** Classes from 0, and how many hosts of a class have each set. */
async function readGroups(sql: Sql, filter: Selection): Promise<{ classes: HostClass[]; groups: SetGroup[] }> {
  const params = new SqlParams();
  const selected = await selectionSql(sql, filter, params, ['NOT h.retired'], KEY_COLUMNS);
  const [row] = await sql.query<{ classes: HostClass[] | null; groups: Buffer | null }>(
    `WITH keys AS MATERIALIZED (
        SELECT h.loaded AS ld, h.available AS ad, ${keySql()} AS key, count(*)::int AS n FROM (${selected}) h WHERE ${chosen(filter)} GROUP BY 1, 2, 3),
      known AS MATERIALIZED (
        SELECT ld, coalesce(ad, 0) AS ad, ${coverageOfKey('loaded')} = 'fresh' AS lf, ${coverageOfKey('available')} = 'fresh' AS af, n FROM keys ${REPLICA_OF_KEY}),
      classes AS MATERIALIZED (
        SELECT row_number() OVER ()::int - 1 AS class, ad, af, lf, reported, n
          FROM (SELECT ad, af, lf, ld IS NOT NULL AS reported, sum(n)::int AS n FROM known GROUP BY 1, 2, 3, 4) g)
     SELECT (SELECT jsonb_agg(jsonb_build_object('class', class, 'ad', nullif(ad, 0), 'af', af, 'lf', lf, 'reported', reported, 'n', n)) FROM classes) AS classes,
            (SELECT string_agg(${groupBytes('k.ld', 'c.class', 'k.n')}, ''::bytea)
               FROM known k JOIN classes c ON (c.ad, c.af, c.lf) = (k.ad, k.af, k.lf) AND c.reported WHERE k.ld IS NOT NULL) AS groups`,
    params.values,
  );
  return { classes: row?.classes ?? [], groups: groupsFrom(row?.groups ?? null) };
}

/**
 * Kmods by name with their counts. For each class of hosts and each build it is counted once how many hosts have the build loaded (`pairs`), from what memory has of
 * sets; everything else follows from these few numbers.
 * What only a device shows (a driver bound without a kmod: built in, where the host's tree has no file of it) is added by groups of hosts with the same devices, by the
 * same rules as in kmod-standing.queries.ts; such code has no id where no kmod anywhere has its name.
 *
 * Rejected: looking, for each kmod of the page and each distinct set, whether the set has it (5,000 hosts of 1,500 sets: 8.6 s for a page of 1,000); taking each set apart
 * in Postgres (100,000 hosts of 30,000 sets: 3 s of CPU); asking the index for the sets of each build of the page (1,000 names have 11,000 builds: more than 15 s).
 */
export async function pageOfKmods(
  sql: Sql,
  sets: LoadedSets,
  filter: KmodFilter,
  after: string | null,
  limit: number,
): Promise<KmodListRow[]> {
  await sets.sync(sql);
  const { classes, groups } = await readGroups(sql, filter);
  const pairs = sumsOf(await sets.addUp(groups), (build) => sets.kmodOf(build));
  const params = new SqlParams();
  const selected = await selectionSql(sql, filter, params, ['NOT h.retired'], KEY_COLUMNS);
  const conditions = ['true'];
  if (filter.name !== undefined)
    conditions.push(`n.name LIKE ${params.add(likeOfGlob(filter.name.replaceAll('-', '_')))}`);
  if (after !== null) conditions.push(`n.name > ${params.add(after)}`);
  const presence = params.add(filter.presence);
  return sql.query<KmodListRow>(
    `WITH classes AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(${params.add(JSON.stringify(classes))}::jsonb) AS c (class int, ad int, af boolean, lf boolean, reported boolean, n int)),
      pairs AS MATERIALIZED (
        SELECT * FROM unnest(${params.add(pairs.groups)}::int[], ${params.add(pairs.of)}::int[], ${params.add(pairs.n)}::int[]) AS p (class, kmod_id, n)),
      drivers AS MATERIALIZED (
        SELECT DISTINCT set_id, driver, replace(driver, '-', '_') AS folded FROM device_driver WHERE builtin AND kmod_id IS NULL AND driver <> ''),
      -- Whether a host has such code loaded matters only where some host can load it.
      loadable AS MATERIALIZED (
        SELECT d.driver FROM (SELECT DISTINCT driver, folded FROM drivers) d
         WHERE EXISTS (SELECT FROM kmod k JOIN kmod_build b ON b.kmod_id = k.id WHERE k.name = d.folded)
            OR EXISTS (SELECT FROM device_driver o JOIN kmod_build b ON b.kmod_id = o.kmod_id WHERE o.driver = d.driver)),
      alike AS MATERIALIZED (
        SELECT h.devices AS dd, h.available AS ad, CASE WHEN s.loadable THEN h.loaded END AS ld, ${keySql()} AS key, count(*) AS n
          FROM (${selected}) h
          JOIN (SELECT set_id, bool_or(driver IN (SELECT driver FROM loadable)) AS loadable FROM drivers GROUP BY 1) s ON s.set_id = h.devices
         WHERE ${chosen(filter)} GROUP BY 1, 2, 3, 4),
      hosts AS MATERIALIZED (
        SELECT dd, ad, ld, n, ${coverageOfKey('loaded')} = 'fresh' AS lf, ${coverageOfKey('available')} = 'fresh' AS af, ${coverageOfKey('devices')} = 'fresh' AS df
          FROM alike ${REPLICA_OF_KEY}),
      bound AS MATERIALIZED (SELECT * FROM drivers WHERE set_id IN (SELECT dd FROM hosts)),
      kmod_of AS (
        SELECT b.driver, k.name FROM (SELECT DISTINCT driver FROM bound) b
          CROSS JOIN LATERAL (SELECT DISTINCT o.kmod_id FROM device_driver o WHERE o.driver = b.driver AND o.kmod_id IS NOT NULL AND ${setInScope(filter.scope, 'devices', 'o.set_id', params)}) o
          JOIN kmod k ON k.id = o.kmod_id),
      by_device AS MATERIALIZED (
        SELECT b.set_id, m.name FROM bound b JOIN kmod_of m ON m.driver = b.driver
        UNION
        SELECT set_id, folded FROM bound
         WHERE folded ~ '^[A-Za-z0-9_]{1,55}$'
           AND (driver NOT IN (SELECT driver FROM kmod_of) OR EXISTS (SELECT FROM kmod k WHERE k.name = folded))),
      ids AS (
        SELECT kmod_id AS id FROM pairs WHERE 'loaded' = ANY (${presence}::text[])
        UNION
        SELECT kmod_id FROM available_kmod
         WHERE set_id IN (SELECT ad FROM classes) AND (CASE WHEN builtin THEN 'builtin' ELSE 'on_disk' END) = ANY (${presence}::text[])),
      names AS (
        SELECT k.name FROM ids JOIN kmod k ON k.id = ids.id
        UNION
        SELECT name FROM by_device WHERE 'builtin' = ANY (${presence}::text[])),
      page AS MATERIALIZED (
        SELECT n.name, k.id, (SELECT array_agg(b.id) FROM kmod_build b WHERE b.kmod_id = k.id) AS builds
          FROM names n LEFT JOIN kmod k ON k.name = n.name
         WHERE ${conditions.join(' AND ')} ORDER BY n.name LIMIT ${params.add(limit + 1)}),
      trees AS MATERIALIZED (
        SELECT set_id, kmod_id, builtin FROM available_kmod WHERE kmod_id IN (SELECT id FROM page) AND set_id IN (SELECT ad FROM classes)),
      facts AS (
        SELECT p.name, c.lf, c.af, c.reported, coalesce(h.n, 0) AS has, c.n - coalesce(h.n, 0) AS lacks, coalesce(a.builtin, false) AS in_kernel,
               a.kmod_id IS NOT NULL AND NOT a.builtin AS is_file
          FROM page p CROSS JOIN classes c
          LEFT JOIN pairs h ON h.class = c.class AND h.kmod_id = p.id
          LEFT JOIN trees a ON a.set_id = c.ad AND a.kmod_id = p.id),
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
        SELECT p.name, h.n, h.df, h.lf AND h.af AS listed, coalesce(s.build_ids && p.builds, false) AS has, coalesce(a.builtin, false) AS in_kernel
          FROM page p
          JOIN by_device d ON d.name = p.name
          JOIN hosts h ON h.dd = d.set_id
          LEFT JOIN LATERAL (SELECT l.build_ids FROM loaded_set l WHERE l.id = h.ld AND p.builds IS NOT NULL LIMIT 1) s ON true
          LEFT JOIN trees a ON a.set_id = h.ad AND a.kmod_id = p.id
         WHERE a.builtin IS NOT FALSE AND NOT (h.lf AND coalesce(s.build_ids && p.builds, false)) AND NOT (h.af AND coalesce(a.builtin, false))),
      added AS (
        SELECT name,
               sum(n) FILTER (WHERE df) AS builtin,
               sum(n) FILTER (WHERE df AND has) AS was_last_loaded,
               sum(n) FILTER (WHERE df AND NOT has AND in_kernel) AS was_last_builtin,
               sum(n) FILTER (WHERE NOT df AND NOT listed AND NOT has AND NOT in_kernel) AS last_builtin
          FROM shown GROUP BY name)
     SELECT c.name, c.loaded::bigint AS loaded, (c.builtin + coalesce(a.builtin, 0))::bigint AS builtin, c.on_disk::bigint AS "onDisk",
            (c.last_loaded - coalesce(a.was_last_loaded, 0))::bigint AS "lastLoaded",
            (c.last_builtin - coalesce(a.was_last_builtin, 0) + coalesce(a.last_builtin, 0))::bigint AS "lastBuiltin",
            c.last_on_disk::bigint AS "lastOnDisk"
       FROM counted c LEFT JOIN added a ON a.name = c.name ORDER BY c.name`,
    params.values,
  );
}
