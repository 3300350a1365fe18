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
import {
  bitOfKey,
  countedByKey,
  coverageOfKey,
  FREE_FROM,
  hasOfKey,
  KEY_COLUMNS,
  REPLICA_OF_KEY,
} from '../presence/standing-key.queries.ts';
import { chosen, type Selection, selectionSql } from '../selectors/selection.queries.ts';
import type { LoadedSets } from '../sets/loaded-sets.ts';
import { bitSql, byteSql, type SetBits } from '../sets/set-bits.ts';
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
  is_available: 'av.set_id IS NOT NULL',
  in_kernel: 'coalesce(av.builtin, false)',
  in_kernel_by_device: '(dv.set_id IS NOT NULL AND av.builtin IS NOT FALSE)',
  by_kernel: 'coalesce(bl.kernel, false)',
  by_initcall: 'coalesce(bl.initcall, false)',
  by_some: 'coalesce(bl.partly, false)',
} as const;
const FACTS = [...Object.entries(COVERAGES), ...Object.entries(FLAGS)]
  .map(([name, expression]) => `${expression} AS ${name}`)
  .join(', ');

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
 * CTE `standing`: one row a chosen host; `loaded` is its set.
 *
 * @param among ids of the hosts to look at, a few hundred; absent: all that are chosen.
 */
export async function standingStatement(
  sql: Sql,
  sets: LoadedSets,
  subject: KmodSubject,
  selection: Selection,
  among?: readonly string[],
): Promise<Statement> {
  await sets.sync(sql);
  const params = new SqlParams();
  const extra = ['NOT h.retired'];
  if (among !== undefined) extra.push(`h.id = ANY (${params.add(among)}::uuid[])`);
  const selected = await selectionSql(sql, selection, params, extra, HOST_COLUMNS);
  const id = `${params.add(subject.kmodId)}::int`;
  const text = `WITH selected AS ${among === undefined ? '' : 'MATERIALIZED '}(${selected}),
    av AS MATERIALIZED (SELECT set_id, builtin, build_id FROM available_kmod WHERE kmod_id = ${id}),
    dv AS MATERIALIZED (SELECT DISTINCT set_id FROM device_driver
                         WHERE builtin AND kmod_id IS NULL AND driver <> '' AND replace(driver, '-', '_') = ANY (${params.add(driversOf(subject))}::text[])),
    bl AS MATERIALIZED (SELECT set_id, bool_or(rung IN (${KERNEL_RUNGS})) AS kernel, bool_or(rung = ${INITCALL_RUNG}) AS initcall,
                               bool_or(rung IN (${PARTLY_RUNGS})) AS partly
                          FROM config_block WHERE kmod_id = ${id} OR kmod_id IS NULL GROUP BY set_id),
    facts AS (
      SELECT h.id, h.name, h.kernel_release, h.loaded_reason AS r1, h.loaded_observed_at AS o1, h.available_reason AS r3, h.available_observed_at AS o3,
             h.devices_observed_at AS o4, h.devices AS d4, h.config AS d5, h.loaded, av.build_id AS file_build_id,
             ${bitSql(sets.having(subject.kmodId), 'h.loaded', params)} = 1 AS is_loaded, ${FACTS}
        FROM selected h
        LEFT JOIN av ON av.set_id = h.available
        LEFT JOIN dv ON dv.set_id = h.devices
        LEFT JOIN bl ON bl.set_id = h.config
       WHERE ${chosen(selection)}),
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

/** What a kmod has to do with sets, by their numbers, in bits: see {@link KEY_FLAGS}. */
interface SubjectSets {
  readonly loaded: SetBits;
  readonly available: ReadonlyMap<number, number>;
  readonly devices: ReadonlyMap<number, number>;
  readonly config: ReadonlyMap<number, number>;
}

const AVAILABLE_FROM = FREE_FROM + 1;
const DEVICES_FROM = FREE_FROM + 3;
const CONFIG_FROM = FREE_FROM + 4;
/** What `facts` has of a key. */
const KEY_FLAGS = {
  has1: hasOfKey('loaded'),
  has3: hasOfKey('available'),
  has5: hasOfKey('config'),
  is_loaded: bitOfKey(FREE_FROM),
  is_available: bitOfKey(AVAILABLE_FROM),
  in_kernel: bitOfKey(AVAILABLE_FROM + 1),
  in_kernel_by_device: `(${bitOfKey(DEVICES_FROM)} AND (NOT ${bitOfKey(AVAILABLE_FROM)} OR ${bitOfKey(AVAILABLE_FROM + 1)}))`,
  by_kernel: bitOfKey(CONFIG_FROM),
  by_initcall: bitOfKey(CONFIG_FROM + 1),
  by_some: bitOfKey(CONFIG_FROM + 2),
} as const;
const KEY_FACTS = [
  ...Object.entries({
    c1: coverageOfKey('loaded'),
    c3: coverageOfKey('available'),
    c4: coverageOfKey('devices'),
    c5: coverageOfKey('config'),
  }),
  ...Object.entries(KEY_FLAGS),
]
  .map(([name, expression]) => `${expression} AS ${name}`)
  .join(', ');

/**
 * CTE `standing`: hosts that stand alike in one row, and `n`, how many they are. There are some dozens of rows at most: what they mean is decided once a row.
 * The narrow rows are read once, in a row, and nothing is joined to them: which sets have the kmod comes along as bits (100,000 hosts of 30,000 sets: 4 KB).
 * Rejected: deciding it for each host (a second more); joining hosts, inventories, sessions and four lists of sets (0.7 s of CPU).
 */
export async function standingCounts(
  sql: Sql,
  sets: LoadedSets,
  subject: KmodSubject,
  selection: Selection,
): Promise<Statement> {
  await sets.sync(sql);
  const of = await setsOfSubject(sql, sets, subject);
  const params = new SqlParams();
  const selected = await selectionSql(sql, selection, params, ['NOT h.retired'], KEY_COLUMNS);
  const flags = [
    `(${bitSql(of.loaded, 'h.loaded', params)} << ${FREE_FROM})`,
    `(${byteSql(of.available, 'h.available', params)} << ${AVAILABLE_FROM})`,
    `(${byteSql(of.devices, 'h.devices', params)} << ${DEVICES_FROM})`,
    `(${byteSql(of.config, 'h.config', params)} << ${CONFIG_FROM})`,
  ];
  const text = `WITH keys AS MATERIALIZED (${countedByKey(`(${selected}) h WHERE ${chosen(selection)}`, flags)}),
    facts AS (SELECT n, ${KEY_FACTS} FROM keys ${REPLICA_OF_KEY}),
    ${DECIDED},
    standing AS (SELECT *, ${STANDING} FROM decided)`;
  return { with: text, params };
}

/** Built in or in the tree, shown by a device, blocked: of which there are few sets. */
async function setsOfSubject(sql: Sql, sets: LoadedSets, subject: KmodSubject): Promise<SubjectSets> {
  const rows = await sql.query<{ facet: 'available' | 'devices' | 'config'; id: number; bits: number }>(
    `SELECT 'available' AS facet, set_id AS id, CASE WHEN builtin THEN 3 ELSE 1 END AS bits FROM available_kmod WHERE kmod_id = $1::int
     UNION ALL
     SELECT DISTINCT 'devices', set_id, 1 FROM device_driver
      WHERE builtin AND kmod_id IS NULL AND driver <> '' AND replace(driver, '-', '_') = ANY ($2::text[])
     UNION ALL
     SELECT 'config', set_id, bit_or(CASE WHEN rung IN (${KERNEL_RUNGS}) THEN 1 WHEN rung = ${INITCALL_RUNG} THEN 2 WHEN rung IN (${PARTLY_RUNGS}) THEN 4 ELSE 0 END)
       FROM config_block WHERE kmod_id = $1::int OR kmod_id IS NULL GROUP BY set_id`,
    [subject.kmodId, driversOf(subject)],
  );
  const of = (facet: string): Map<number, number> =>
    new Map(rows.filter((row) => row.facet === facet).map(({ id, bits }) => [id, bits]));
  return {
    loaded: sets.having(subject.kmodId),
    available: of('available'),
    devices: of('devices'),
    config: of('config'),
  };
}

function driversOf({ name, drivers }: KmodSubject): string[] {
  return [...new Set([name, ...drivers.map((driver) => driver.replaceAll('-', '_'))])];
}
