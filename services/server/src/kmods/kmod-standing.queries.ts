/**
 * Where every chosen host stands to one kmod.
 *
 * INVARIANTS
 * - `known` is null unless facts that are fresh decide it: unknown is not absent. Not in a fresh `loaded` says nothing of code that is built in, so "absent"
 *   and "on disk" need a fresh `available` beside it.
 * - Built in is known from the kernel's own list (facet `available`), or from a device that is bound to one of the kmod's drivers without a kmod (facet
 *   `devices`), unless the host's tree has the kmod as a file.
 * - `last` is what the last reports said, however old; it is never counted as known.
 */
import type { Sql } from '../database/database.service.ts';
import { SqlParams } from '../database/sql-params.ts';
import { chosen, type Selection, selectionSql } from '../selectors/selection.queries.ts';
import type { KmodSubject } from './kmod-resolution.ts';

/** Rungs (proto BlockRung) by what they stop: some loaders, every loader, and code built in. */
const PARTLY_RUNGS = '1, 2, 4, 9';
const KERNEL_RUNGS = '5, 7';
const INITCALL_RUNG = '6';

export interface Statement {
  readonly with: string;
  readonly params: SqlParams;
}

/** Of `host_standing h`: what where a host stands is worked out from. */
const HOST_COLUMNS = [
  'h.name',
  'h.kernel_release',
  ...(['loaded', 'available', 'devices', 'config'] as const).flatMap((facet) => [
    `h.${facet}`,
    `h.${facet}_coverage`,
    `h.${facet}_reason`,
    `h.${facet}_observed_at`,
  ]),
];

/** Text: sets that have the kmod (digest, build): by its builds, of which there are few for each kernel release. @param id SQL of the kmod's id. */
export function setsThatHave(id: string): string {
  return `SELECT s.digest, b.id AS build FROM kmod_build b JOIN loaded_set s ON s.build_ids @> ARRAY[b.id] WHERE b.kmod_id = ${id}`;
}

/**
 * The same, of some sets: each is looked into. Rejected for a few hosts: finding all sets that have a common kmod, to use a hundred of them (an operator that the
 * index knows would let Postgres do that); taking the sets apart with unnest (twice the time).
 */
function setsAmong(id: string): string {
  return `SELECT s.digest, b.id AS build FROM (SELECT DISTINCT loaded FROM selected) h JOIN loaded_set s ON s.digest = h.loaded
            JOIN kmod_build b ON b.kmod_id = ${id} AND array_position(s.build_ids, b.id) IS NOT NULL`;
}

/** First bit of the flags in {@link PACKED}. */
const FLAGS_FROM = 8;

/** What `facts` has of each host of `selected h`, by which everything else is decided: coverage of four facets, and what is so or not. */
const COVERAGES = {
  c1: 'h.loaded_coverage',
  c3: 'h.available_coverage',
  c4: 'h.devices_coverage',
  c5: 'h.config_coverage',
} as const;
const FLAGS = {
  has1: 'h.loaded IS NOT NULL',
  has3: 'h.available IS NOT NULL',
  has5: 'h.config IS NOT NULL',
  is_loaded: 'ls.digest IS NOT NULL',
  is_available: 'av.set_digest IS NOT NULL',
  in_kernel: 'coalesce(av.builtin, false)',
  in_kernel_by_device: '(dv.set_digest IS NOT NULL AND av.builtin IS NOT FALSE)',
  by_kernel: 'coalesce(bl.kernel, false)',
  by_initcall: 'coalesce(bl.initcall, false)',
  by_some: 'coalesce(bl.partly, false)',
} as const;
const FACTS = [...Object.entries(COVERAGES), ...Object.entries(FLAGS)]
  .map(([name, expression]) => `${expression} AS ${name}`)
  .join(', ');

/** The same in one number: two bits a coverage, one a flag. Grouping by it hashes one number; by the columns, Postgres would sort the fleet. */
const COVERAGE_WORDS = ['fresh', 'stale', 'silent', 'incapable'] as const;
const PACKED = [
  ...Object.values(COVERAGES).map(
    (expression, at) =>
      `((CASE ${expression} ${COVERAGE_WORDS.map((word, code) => `WHEN '${word}' THEN ${code}`).join(' ')} END) << ${2 * at})`,
  ),
  ...Object.values(FLAGS).map((expression, at) => `((${expression})::int << ${FLAGS_FROM + at})`),
].join(' | ');
const UNPACKED = [
  ...Object.keys(COVERAGES).map(
    (name, at) =>
      `(ARRAY[${COVERAGE_WORDS.map((word) => `'${word}'`).join(', ')}])[1 + ((packed >> ${2 * at}) & 3)] AS ${name}`,
  ),
  ...Object.keys(FLAGS).map((name, at) => `(packed >> ${FLAGS_FROM + at}) & 1 = 1 AS ${name}`),
].join(', ');

/** CTE: what is known, and what was last said. */
const DECIDED = `decided AS (
      SELECT *,
             CASE WHEN c1 = 'fresh' AND is_loaded THEN 'loaded'
                  WHEN (c3 = 'fresh' AND in_kernel) OR (c4 = 'fresh' AND in_kernel_by_device) THEN 'builtin'
                  WHEN c1 = 'fresh' AND c3 = 'fresh' THEN CASE WHEN is_available THEN 'on_disk' ELSE 'absent' END
             END AS known,
             CASE WHEN is_loaded THEN 'loaded'
                  WHEN in_kernel OR in_kernel_by_device THEN 'builtin'
                  WHEN has1 AND has3 THEN CASE WHEN is_available THEN 'on_disk' ELSE 'absent' END
             END AS last
        FROM facts)`;

/** Columns over `decided`. */
const STANDING = `CASE WHEN known IS NOT NULL THEN 'fresh' WHEN c1 <> 'fresh' THEN c1 ELSE c3 END AS coverage,
             CASE WHEN NOT has5 THEN NULL
                  WHEN by_kernel OR (by_initcall AND coalesce(known, last) = 'builtin') THEN 'kernel'
                  WHEN by_some THEN 'partly' ELSE 'no' END AS blocked`;

/**
 * CTE `standing`: one row a chosen host.
 *
 * @param among ids of the hosts to look at, a few hundred; absent: all that are chosen.
 */
export async function standingStatement(
  sql: Sql,
  subject: KmodSubject,
  selection: Selection,
  among?: readonly string[],
): Promise<Statement> {
  const { with: sets, params } = await setsStatement(sql, subject, selection, among);
  const text = `${sets},
    facts AS (
      SELECT h.id, h.name, h.kernel_release, h.loaded_reason AS r1, h.loaded_observed_at AS o1, h.available_reason AS r3, h.available_observed_at AS o3,
             h.devices_observed_at AS o4, h.devices AS d4, h.config AS d5, ls.build, av.build_id AS file_build_id, ${FACTS}
        ${FROM_SETS} WHERE ${chosen(selection)}),
    ${DECIDED},
    standing AS (
      SELECT *, ${STANDING},
             CASE WHEN known IS NOT NULL THEN NULL
                  WHEN c1 <> 'fresh' THEN r1
                  ELSE 'not loaded; whether it is built in or on disk is not known: ' || coalesce(r3, '') END AS reason,
             CASE WHEN known = 'loaded' THEN o1
                  WHEN known = 'builtin' THEN CASE WHEN c3 = 'fresh' AND in_kernel THEN o3 ELSE o4 END
                  WHEN known IS NOT NULL THEN least(o1, o3)
                  ELSE coalesce(o1, o3) END AS observed_at
        FROM decided)`;
  return { with: text, params };
}

/**
 * CTE `standing`: hosts that stand alike in one row, and `n`, how many they are. There are some dozens of rows at most: what they mean is decided once a row.
 * Rejected: deciding it for each host (100,000 hosts: a second more).
 */
export async function standingCounts(sql: Sql, subject: KmodSubject, selection: Selection): Promise<Statement> {
  const { with: sets, params } = await setsStatement(sql, subject, selection);
  const text = `${sets},
    packed AS (SELECT ${PACKED} AS packed, count(*) AS n ${FROM_SETS} WHERE ${chosen(selection)} GROUP BY 1),
    facts AS (SELECT n, ${UNPACKED} FROM packed),
    ${DECIDED},
    standing AS (SELECT *, ${STANDING} FROM decided)`;
  return { with: text, params };
}

const FROM_SETS = `FROM selected h
        LEFT JOIN ls ON ls.digest = h.loaded
        LEFT JOIN av ON av.set_digest = h.available
        LEFT JOIN dv ON dv.set_digest = h.devices
        LEFT JOIN bl ON bl.set_digest = h.config`;

/** CTEs `selected` (id, matches, what each host reported) and the sets that have to do with the kmod. */
async function setsStatement(
  sql: Sql,
  subject: KmodSubject,
  selection: Selection,
  among?: readonly string[],
): Promise<Statement> {
  const params = new SqlParams();
  const extra = ['h.retired_at IS NULL'];
  if (among !== undefined) extra.push(`h.id = ANY (${params.add(among)}::uuid[])`);
  const selected = await selectionSql(sql, selection, params, extra, HOST_COLUMNS);
  const id = `${params.add(subject.kmodId)}::int`;
  const drivers = params.add([
    ...new Set([subject.name, ...subject.drivers.map((driver) => driver.replaceAll('-', '_'))]),
  ]);
  const text = `WITH selected AS ${among === undefined ? '' : 'MATERIALIZED '}(${selected}),
    ls AS MATERIALIZED (${among === undefined ? setsThatHave(id) : setsAmong(id)}),
    av AS MATERIALIZED (SELECT set_digest, builtin, build_id FROM available_kmod WHERE kmod_id = ${id}),
    dv AS MATERIALIZED (SELECT DISTINCT set_digest FROM device_driver
                         WHERE builtin AND kmod_id IS NULL AND driver <> '' AND replace(driver, '-', '_') = ANY (${drivers}::text[])),
    bl AS MATERIALIZED (SELECT set_digest, bool_or(rung IN (${KERNEL_RUNGS})) AS kernel, bool_or(rung = ${INITCALL_RUNG}) AS initcall,
                               bool_or(rung IN (${PARTLY_RUNGS})) AS partly
                          FROM config_block WHERE kmod_id = ${id} OR kmod_id IS NULL GROUP BY set_digest)`;
  return { with: text, params };
}
