/**
 * The same kmod, otherwise, over the fleet. Hosts whose facts are not fresh are in no figure.
 *
 * Hosts are compared among those of one kernel: its release, its build (uname -v: a rebuilt package keeps the release) and the architecture.
 */
import type { HostScope } from '../access/host-scope.ts';
import { scopeCondition } from '../access/host-scope.queries.ts';
import type { Sql } from '../database/database.service.ts';
import { likeOfGlob, SqlParams } from '../database/sql-params.ts';
import { chosen, type Selection, selectionSql } from '../selectors/selection.queries.ts';
import { sumsOf, type LoadedSets, type SetGroup } from '../sets/loaded-sets.ts';
import { bitSql } from '../sets/set-bits.ts';
import { groupBytes, groupsFrom } from '../sets/set-groups.queries.ts';
import type { SkewKind } from './skew.schema.ts';

export interface SkewRow {
  readonly name: string;
  readonly hosts: number;
  readonly build_kernels: number;
  readonly build_hosts: number;
  readonly version_kernels: number;
  readonly version_hosts: number;
  readonly signer_kernels: number;
  readonly signer_hosts: number;
  readonly file_differs: number;
  readonly file_missing: number;
  readonly file_unknown: number;
  readonly out_of_tree: number;
  readonly unsigned: number;
}

const KERNEL = 'release, kernel, arch';

/** Hosts that are compared, of `host_standing h`. */
const FRESH = ['NOT h.retired', `h.loaded_coverage = 'fresh'`];
/** Of `h`: what they are told apart by. `ad` is null where it is not known what is on disk. */
const HOST_COLUMNS = [
  'h.kernel_release AS release',
  `coalesce(h.facts ->> 'kernelVersion', '') AS kernel`,
  'h.arch',
  'h.loaded AS ld',
  `CASE WHEN h.available_coverage = 'fresh' THEN h.available END AS ad`,
];
const GROUP = `${KERNEL}, ld, ad`;

/** Hosts of one kernel and tree, of which there are few. */
interface SkewClass {
  readonly class: number;
  readonly release: string;
  readonly kernel: string;
  readonly arch: string;
  readonly ad: number | null;
}

/** Classes from 0, and how many of their hosts have each set. */
async function readGroups(sql: Sql, filter: Selection): Promise<{ classes: SkewClass[]; groups: SetGroup[] }> {
  const params = new SqlParams();
  const selected = await selectionSql(sql, filter, params, FRESH, HOST_COLUMNS);
  const [row] = await sql.query<{ classes: SkewClass[] | null; groups: Buffer | null }>(
    `WITH groups AS MATERIALIZED (SELECT ${GROUP}, count(*)::int AS n FROM (${selected}) h WHERE ${chosen(filter)} GROUP BY ${GROUP}),
      classes AS MATERIALIZED (SELECT row_number() OVER ()::int - 1 AS class, * FROM (SELECT DISTINCT ${KERNEL}, coalesce(ad, 0) AS ad FROM groups) g)
     SELECT (SELECT jsonb_agg(jsonb_build_object('class', class, 'release', release, 'kernel', kernel, 'arch', arch, 'ad', nullif(ad, 0))) FROM classes) AS classes,
            (SELECT string_agg(${groupBytes('g.ld', 'c.class', 'g.n')}, ''::bytea)
               FROM groups g JOIN classes c ON (c.release, c.kernel, c.arch, c.ad) = (g.release, g.kernel, g.arch, coalesce(g.ad, 0))) AS groups`,
    params.values,
  );
  return { classes: row?.classes ?? [], groups: groupsFrom(row?.groups ?? null) };
}

/** Over `facts`: kernels with more than one value, and the hosts beside the most frequent one. */
function oddOnes(values: string, condition: string): string {
  return `SELECT name, count(*) AS kernels, sum(total - most)::bigint AS hosts FROM (
            SELECT name, ${KERNEL}, sum(n) AS total, max(n) AS most, count(*) AS ways FROM (
              SELECT name, ${KERNEL}, sum(n) AS n FROM facts WHERE ${condition} GROUP BY name, ${KERNEL}, ${values}) each
             GROUP BY name, ${KERNEL}) compared
           WHERE ways > 1 GROUP BY name`;
}

const CONDITIONS: Readonly<Record<SkewKind, string>> = {
  build: 'b.kernels > 0',
  version: 'v.kernels > 0',
  signer: 's.kernels > 0',
  file: '(f.file_differs > 0 OR f.file_missing > 0)',
  out_of_tree: 'f.out_of_tree > 0',
  unsigned: 'f.unsigned > 0',
};

/**
 * Kmods with one of the kinds of skew, by name after `after`; at most `limit`. Every distinct set of the fleet is added up once, whatever the page, from what memory has of
 * sets: what makes a kmod worth a row is not known before. Hosts of one kernel and tree are a class, so that what sets hold is added up by two numbers, class and build.
 */
export async function pageOfSkew(
  sql: Sql,
  sets: LoadedSets,
  filter: Selection & { readonly name?: string | undefined; readonly kinds: readonly SkewKind[] },
  after: string | null,
  limit: number,
): Promise<SkewRow[]> {
  await sets.sync(sql);
  const { classes, groups } = await readGroups(sql, filter);
  const sums = sumsOf(await sets.addUp(groups), (build) => build);
  const params = new SqlParams();
  const names = ['true'];
  if (filter.name !== undefined) names.push(`k.name LIKE ${params.add(likeOfGlob(filter.name.replaceAll('-', '_')))}`);
  if (after !== null) names.push(`k.name > ${params.add(after)}`);
  return sql.query<SkewRow>(
    `WITH classes AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(${params.add(JSON.stringify(classes))}::jsonb) AS c (class int, release text, kernel text, arch text, ad int)),
      by_build AS MATERIALIZED (
        SELECT * FROM unnest(${params.add(sums.groups)}::int[], ${params.add(sums.of)}::int[], ${params.add(sums.n)}::int[]) AS u (class, build, n)),
      seen AS MATERIALIZED (
        SELECT c.release, c.kernel, c.arch, c.ad, b.kmod_id, k.name, b.build_id AS build, b.version, b.srcversion, b.taint, sum(u.n)::bigint AS n
          FROM by_build u JOIN classes c ON c.class = u.class JOIN kmod_build b ON b.id = u.build JOIN kmod k ON k.id = b.kmod_id
         WHERE ${names.join(' AND ')} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
      trees AS MATERIALIZED (
        SELECT set_id, bool_or(signer <> '') AS signed FROM available_kmod WHERE NOT builtin AND set_id IN (SELECT ad FROM classes) GROUP BY 1),
      facts AS MATERIALIZED (
        SELECT s.*, a.kmod_id IS NOT NULL AND NOT a.builtin AS has_file, coalesce(a.build_id, '') AS file_build, coalesce(a.signer, '') AS signer,
               coalesce(t.signed, false) AS tree_signed
          FROM seen s LEFT JOIN trees t ON t.set_id = s.ad LEFT JOIN available_kmod a ON a.set_id = s.ad AND a.kmod_id = s.kmod_id),
      b AS (${oddOnes('build', `build <> ''`)}),
      v AS (${oddOnes('version, srcversion', 'true')}),
      s AS (${oddOnes('signer', 'has_file AND tree_signed')}),
      f AS (
        SELECT name, sum(n)::bigint AS hosts,
               coalesce(sum(n) FILTER (WHERE has_file AND build <> '' AND file_build <> '' AND build <> file_build), 0)::bigint AS file_differs,
               coalesce(sum(n) FILTER (WHERE ad IS NOT NULL AND NOT has_file), 0)::bigint AS file_missing,
               coalesce(sum(n) FILTER (WHERE ad IS NULL OR (has_file AND (build = '' OR file_build = ''))), 0)::bigint AS file_unknown,
               coalesce(sum(n) FILTER (WHERE taint LIKE '%O%'), 0)::bigint AS out_of_tree,
               coalesce(sum(n) FILTER (WHERE taint LIKE '%E%' OR (has_file AND tree_signed AND signer = '')), 0)::bigint AS unsigned
          FROM facts GROUP BY name)
     SELECT f.*, coalesce(b.kernels, 0) AS build_kernels, coalesce(b.hosts, 0) AS build_hosts, coalesce(v.kernels, 0) AS version_kernels,
            coalesce(v.hosts, 0) AS version_hosts, coalesce(s.kernels, 0) AS signer_kernels, coalesce(s.hosts, 0) AS signer_hosts
       FROM f LEFT JOIN b ON b.name = f.name LEFT JOIN v ON v.name = f.name LEFT JOIN s ON s.name = f.name
      WHERE ${filter.kinds.map((kind) => CONDITIONS[kind]).join(' OR ')}
      ORDER BY f.name LIMIT ${params.add(limit)}`,
    params.values,
  );
}

export interface VariantRow {
  readonly release: string;
  readonly kernel: string;
  readonly arch: string;
  readonly build: string;
  readonly version: string;
  readonly srcversion: string;
  readonly taint: string;
  readonly unsigned: boolean;
  readonly signer: string;
  readonly file: 'same' | 'differs' | 'missing' | 'unknown';
  readonly hosts: number;
  readonly most: number;
  readonly total: number;
  /** "ID NAME" of some of its hosts, apart by {@link SEPARATOR}; cut off behind the tenth. */
  readonly sample: string;
  /** "TIME ID NAME" of the host whose inventory came in first. */
  readonly oldest: string;
}

/** U+001E: in no name of a host. */
export const SEPARATOR = '\u001e';
/** Characters: ten ids and names of the longest kind. */
const SOME_LENGTH = 4_000;
const KEPT_OF_GROUP = 10;
const VARIANT = `${KERNEL}, build, version, srcversion, taint, unsigned, signer, file`;

type Subject = { readonly name: string; readonly kmodId: number | null };

/**
 * In which ways the kmod is loaded: by kernel, of each kernel the most frequent first; after `after` (the values of that order), at most `limit`. `most` is what the most
 * frequent way of the same kernel has, `total` all hosts that have it loaded.
 *
 * Hosts are counted by the sets that they share, hashed, before anything is said of them in words. Rejected: grouping hosts by all those words with their names in
 * order, which sorts every host of the fleet by ten texts.
 */
export async function pageOfVariants(
  sql: Sql,
  sets: LoadedSets,
  subject: Subject,
  selection: Selection,
  after: readonly (string | number)[] | null,
  limit: number,
): Promise<VariantRow[]> {
  const params = new SqlParams();
  const columns = ['h.name', 'h.loaded_received_at', ...HOST_COLUMNS];
  const selected = await selectionSql(sql, selection, params, FRESH, columns);
  await sets.sync(sql);
  const having = sets.buildsIn(subject.kmodId);
  const id = `${params.add(subject.kmodId)}::int`;
  const order = `${KERNEL}, -hosts, build, version, srcversion, taint, unsigned, signer, file`;
  const beyond =
    after === null
      ? 'true'
      : `(${order}) > (${after.map((value, at) => params.add(value) + (at === 3 ? '::bigint' : at === 8 ? '::boolean' : '::text')).join(', ')})`;
  return sql.query<VariantRow>(
    `WITH ls AS MATERIALIZED (SELECT * FROM unnest(${params.add(having.sets)}::int[], ${params.add(having.builds)}::int[]) AS s (set, build)),
      av AS MATERIALIZED (
        SELECT a.set_id, NOT a.builtin AS has_file, a.build_id, a.signer,
               EXISTS (SELECT FROM available_kmod o WHERE o.set_id = a.set_id AND NOT o.builtin AND o.signer <> '') AS signed
          FROM available_kmod a WHERE a.kmod_id = ${id}),
      groups AS MATERIALIZED (
        SELECT ${GROUP}, count(*) AS n, (array_agg(id || ' ' || name))[1:${KEPT_OF_GROUP}] AS sample,
               min((to_char(loaded_received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || ' ' || id || ' ' || name) COLLATE "C") AS oldest
          FROM (${selected}) h WHERE ld IN (SELECT set FROM ls) AND ${chosen(selection)} GROUP BY ${GROUP}),
      found AS (
        SELECT g.*, b.build_id AS build, b.version, b.srcversion, b.taint, coalesce(av.has_file, false) AS has_file,
               coalesce(av.build_id, '') AS file_build, coalesce(av.signer, '') AS signer, coalesce(av.signed, false) AS tree_signed
          FROM groups g JOIN ls ON ls.set = g.ld JOIN kmod_build b ON b.id = ls.build LEFT JOIN av ON av.set_id = g.ad),
      named AS (
        SELECT *, taint LIKE '%E%' OR (has_file AND tree_signed AND signer = '') AS unsigned,
               CASE WHEN ad IS NULL THEN 'unknown' WHEN NOT has_file THEN 'missing' WHEN build = '' OR file_build = '' THEN 'unknown'
                    WHEN build = file_build THEN 'same' ELSE 'differs' END AS file
          FROM found),
      variants AS (
        SELECT ${VARIANT}, sum(n)::bigint AS hosts, left(string_agg(array_to_string(sample, E'\\x1e'), E'\\x1e'), ${SOME_LENGTH}) AS sample,
               min(oldest COLLATE "C") AS oldest
          FROM named GROUP BY ${VARIANT}),
      ranked AS (SELECT *, max(hosts) OVER (PARTITION BY ${KERNEL}) AS most, (sum(hosts) OVER ())::bigint AS total FROM variants)
     SELECT * FROM ranked WHERE ${beyond} ORDER BY ${order} LIMIT ${params.add(limit)}`,
    params.values,
  );
}

/** Values of {@link pageOfVariants}' order at a row. */
export function variantKey(row: VariantRow): (string | number)[] {
  const { release, kernel, arch, hosts, build, version, srcversion, taint, unsigned, signer, file } = row;
  return [release, kernel, arch, -hosts, build, version, srcversion, taint, String(unsigned), signer, file];
}

/** Fresh hosts that have it loaded and whose parameters are fresh, by id (which is random: a fair choice); at most `limit`. */
export async function hostsToCompare(
  sql: Sql,
  sets: LoadedSets,
  subject: Subject,
  selection: Selection,
  limit: number,
): Promise<{ readonly id: string; readonly name: string }[]> {
  const params = new SqlParams();
  const fresh = [...FRESH, `h.parameters_coverage = 'fresh'`];
  const selected = await selectionSql(sql, selection, params, fresh, ['h.name', 'h.loaded']);
  await sets.sync(sql);
  return sql.query(
    `SELECT id, name FROM (${selected}) h
      WHERE ${bitSql(sets.having(subject.kmodId), 'loaded', params)} = 1 AND ${chosen(selection)} ORDER BY id LIMIT ${params.add(limit)}`,
    params.values,
  );
}

/** Canonical bytes of the parameters of some hosts. */
export function parametersOfHosts(sql: Sql, hostIds: readonly string[]): Promise<{ host_id: string; value: Buffer }[]> {
  return sql.query('SELECT host_id, value FROM host_parameters WHERE host_id = ANY ($1::uuid[]) ORDER BY host_id', [
    hostIds,
  ]);
}

export interface FirstEventRow {
  readonly kmod: string;
  readonly at: Date;
  readonly host_id: string;
  readonly host_name: string;
  readonly kind: number;
  readonly action_id: string | null;
}

/** The first event of each kmod's coming (loaded, or changed) on a host in scope, where there is one on record. */
export function firstEvents(sql: Sql, names: readonly string[], scope: HostScope): Promise<FirstEventRow[]> {
  const params = new SqlParams();
  return sql.query<FirstEventRow>(
    `SELECT k.name AS kmod, first.* FROM kmod k CROSS JOIN LATERAL (
       SELECT e.at, h.id AS host_id, h.name AS host_name, e.kind, e.action_id FROM kmod_event e JOIN host h ON h.id = e.host_id
        WHERE e.kmod_id = k.id AND e.kind IN (1, 3) AND ${scopeCondition(scope, params)} ORDER BY e.at, e.id LIMIT 1) first
      WHERE k.name = ANY (${params.add(names)}::text[])`,
    params.values,
  );
}
