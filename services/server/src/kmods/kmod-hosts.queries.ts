import type { HostScope } from '../access/host-scope.ts';
import { setInScope } from '../access/host-scope.queries.ts';
import type { Sql } from '../database/database.service.ts';
import { SqlParams } from '../database/sql-params.ts';
import { COVERAGE_COUNT_COLUMNS, type CoverageCounts } from '../presence/coverage.queries.ts';
import type { Selection } from '../selectors/selection.queries.ts';
import type { KmodSubject } from './kmod-resolution.ts';
import { standingStatement } from './kmod-standing.queries.ts';

export type Presence = 'loaded' | 'builtin' | 'on_disk' | 'absent';

export interface KmodTally extends CoverageCounts {
  readonly asOf: Date;
  /** Hosts left out because a fact in the selector is unknown of them. */
  readonly selectorUnknown: number;
  readonly loaded: number;
  readonly builtin: number;
  readonly onDisk: number;
  readonly absent: number;
  readonly lastLoaded: number;
  readonly lastBuiltin: number;
  readonly lastOnDisk: number;
  readonly lastAbsent: number;
  readonly blockedNo: number;
  readonly blockedPartly: number;
  readonly blockedKernel: number;
}

/** Select list of {@link KmodTally} over `standing`. */
function tallyColumns(selection: Selection): string {
  const left = selection.includeUnknown ? '0::bigint' : '(SELECT count(*) FROM selected WHERE matches IS NULL)';
  return `now() AS "asOf", ${left} AS "selectorUnknown", ${COVERAGE_COUNT_COLUMNS},
            count(*) FILTER (WHERE known = 'loaded') AS loaded, count(*) FILTER (WHERE known = 'builtin') AS builtin,
            count(*) FILTER (WHERE known = 'on_disk') AS "onDisk", count(*) FILTER (WHERE known = 'absent') AS absent,
            count(*) FILTER (WHERE known IS NULL AND last = 'loaded') AS "lastLoaded",
            count(*) FILTER (WHERE known IS NULL AND last = 'builtin') AS "lastBuiltin",
            count(*) FILTER (WHERE known IS NULL AND last = 'on_disk') AS "lastOnDisk",
            count(*) FILTER (WHERE known IS NULL AND last = 'absent') AS "lastAbsent",
            count(*) FILTER (WHERE c5 = 'fresh' AND blocked = 'no') AS "blockedNo",
            count(*) FILTER (WHERE c5 = 'fresh' AND blocked = 'partly') AS "blockedPartly",
            count(*) FILTER (WHERE c5 = 'fresh' AND blocked = 'kernel') AS "blockedKernel"`;
}

/** Counts over all chosen hosts. */
export async function tallyKmod(sql: Sql, subject: KmodSubject, selection: Selection): Promise<KmodTally> {
  const statement = await standingStatement(sql, subject, selection);
  const [row] = await sql.query<KmodTally>(
    `${statement.with} SELECT ${tallyColumns(selection)} FROM standing`,
    statement.params.values,
  );
  if (row === undefined) throw new Error('an aggregate without a row');
  return row;
}

export interface KmodHostRow {
  readonly id: string;
  readonly name: string;
  readonly kernel_release: string;
  readonly known: Presence | null;
  readonly last: Presence | null;
  readonly coverage: 'fresh' | 'stale' | 'silent' | 'incapable';
  readonly reason: string | null;
  readonly observed_at: Date | null;
  readonly entry: Record<string, unknown> | null;
  readonly file_build_id: string | null;
  readonly blocked: 'no' | 'partly' | 'kernel' | null;
  readonly config_digest: string | null;
  readonly devices_digest: string | null;
}

/** Columns of {@link KmodHostRow} over `standing`. */
const KMOD_HOST_COLUMNS = `id, name, kernel_release, known, last, coverage, reason, observed_at, entry, file_build_id, blocked,
              encode(d5, 'hex') AS config_digest, encode(d4, 'hex') AS devices_digest`;

/**
 * The counts, and the hosts of these presences after `after` (name, id), one more than `limit` when there is a next page; `unknown` is a host without a known
 * presence. One statement: where every host stands is worked out once for both.
 */
export async function readKmodHosts(
  sql: Sql,
  subject: KmodSubject,
  selection: Selection,
  page: {
    readonly presence: readonly string[];
    readonly after: readonly (string | number)[] | null;
    readonly limit: number;
  },
): Promise<{ tally: KmodTally; rows: KmodHostRow[] }> {
  const { with: text, params } = await standingStatement(sql, subject, selection);
  const beyond =
    page.after === null ? 'true' : `(name, id) > (${params.add(page.after[0])}, ${params.add(page.after[1])}::uuid)`;
  const rows = await sql.query<KmodTally & (KmodHostRow | { id: null })>(
    `${text},
     tally AS (SELECT ${tallyColumns(selection)} FROM standing),
     page AS (
       SELECT ${KMOD_HOST_COLUMNS}
         FROM standing WHERE coalesce(known, 'unknown') = ANY (${params.add(page.presence)}::text[]) AND ${beyond}
        ORDER BY name, id LIMIT ${params.add(page.limit + 1)})
     SELECT tally.*, page.* FROM tally LEFT JOIN page ON true ORDER BY name, id`,
    params.values,
  );
  const [first] = rows;
  if (first === undefined) throw new Error('an aggregate without a row');
  return { tally: first, rows: rows.filter((row) => row.id !== null) };
}

/** Those of the hosts `among` that have one of the presences, by (name, id). For a walk through a whole list: each step costs what its hosts cost, not the fleet. */
export async function kmodHostsAmong(
  sql: Sql,
  subject: KmodSubject,
  selection: Selection,
  presence: readonly string[],
  among: readonly string[],
): Promise<KmodHostRow[]> {
  const { with: text, params } = await standingStatement(sql, subject, selection, among);
  return sql.query<KmodHostRow>(
    `${text} SELECT ${KMOD_HOST_COLUMNS} FROM standing WHERE coalesce(known, 'unknown') = ANY (${params.add(presence)}::text[]) ORDER BY name, id`,
    params.values,
  );
}

/** Loaded builds on fresh hosts, the most frequent first. */
export async function buildsOfKmod(
  sql: Sql,
  subject: KmodSubject,
  selection: Selection,
): Promise<{ buildId: string | null; version: string | null; kernelRelease: string; hosts: number }[]> {
  const { with: text, params } = await standingStatement(sql, subject, selection);
  return sql.query(
    `${text}
     SELECT nullif(entry ->> 'buildId', '') AS "buildId", nullif(entry ->> 'version', '') AS version, kernel_release AS "kernelRelease", count(*) AS hosts
       FROM standing WHERE known = 'loaded' GROUP BY 1, 2, 3 ORDER BY 4 DESC, 3, 1 LIMIT 1000`,
    params.values,
  );
}

export interface SetBlockRow {
  readonly digest: string;
  readonly rung: number;
  readonly file: string;
  readonly line: number;
  readonly detail: string;
}

/** Blocks of one kmod in these configurations (hex digests), those that hold for every kmod included. */
export function blocksInSets(sql: Sql, kmodId: number | null, digests: readonly string[]): Promise<SetBlockRow[]> {
  return sql.query<SetBlockRow>(
    `SELECT encode(set_digest, 'hex') AS digest, rung, file, line, detail FROM config_block
      WHERE set_digest = ANY (SELECT decode(unnest($2::text[]), 'hex')) AND (kmod_id = $1::int OR kmod_id IS NULL) ORDER BY set_digest, seq`,
    [kmodId, digests],
  );
}

export interface SetDeviceRow {
  readonly digest: string;
  readonly bus: string;
  readonly address: string;
  readonly driver: string;
  readonly names: string[];
}

/** Devices that the kmod's drivers are bound to in these device sets (hex digests). */
export function devicesInSets(sql: Sql, subject: KmodSubject, digests: readonly string[]): Promise<SetDeviceRow[]> {
  const drivers = [...new Set([subject.name, ...subject.drivers.map((driver) => driver.replaceAll('-', '_'))])];
  return sql.query<SetDeviceRow>(
    `SELECT encode(set_digest, 'hex') AS digest, bus, address, driver, names FROM device_driver
      WHERE set_digest = ANY (SELECT decode(unnest($1::text[]), 'hex')) AND driver <> ''
        AND (kmod_id = $2::int OR (kmod_id IS NULL AND builtin AND replace(driver, '-', '_') = ANY ($3::text[])))
      ORDER BY set_digest, bus, address`,
    [digests, subject.kmodId, drivers],
  );
}

export interface KmodDetails {
  readonly description: string;
  readonly license: string;
  readonly depends: string[];
}

/** What the newest tree of a host in scope that has the kmod says of it. */
export async function detailsOfKmod(sql: Sql, kmodId: number, scope: HostScope): Promise<KmodDetails | undefined> {
  const params = new SqlParams();
  const rows = await sql.query<KmodDetails>(
    `SELECT a.description, a.license, a.depends FROM available_kmod a JOIN available_set s ON s.digest = a.set_digest
      WHERE a.kmod_id = ${params.add(kmodId)} AND ${setInScope(scope, 'a.set_digest', params)}
      ORDER BY a.builtin, s.created_at DESC, s.digest LIMIT 1`,
    params.values,
  );
  return rows[0];
}

/** Of the whole fleet from the dictionary; of some hosts from their trees. */
export async function countAliases(sql: Sql, kmodId: number, scope: HostScope): Promise<number> {
  const params = new SqlParams();
  const id = params.add(kmodId);
  const text =
    scope === 'all'
      ? `SELECT count(*) FROM kmod_alias WHERE kmod_id = ${id}`
      : `SELECT count(DISTINCT alias) FROM available_kmod a CROSS JOIN unnest(a.aliases) AS alias
          WHERE a.kmod_id = ${id} AND ${setInScope(scope, 'a.set_digest', params)}`;
  return (await sql.query<{ count: number }>(text, params.values))[0]?.count ?? 0;
}
