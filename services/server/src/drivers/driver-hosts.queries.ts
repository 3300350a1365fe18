/**
 * Which hosts have devices bound to a driver, built in or not. As with kmods: only a fresh facet `devices` makes a host known.
 */
import type { HostScope } from '../access/host-scope.ts';
import { setInScope } from '../access/host-scope.queries.ts';
import type { Sql } from '../database/database.service.ts';
import { SqlParams } from '../database/sql-params.ts';
import { COVERAGE_COUNT_COLUMNS, type CoverageCounts } from '../presence/coverage.queries.ts';
import { chosen, type Selection, selectionSql } from '../selectors/selection.queries.ts';

export type DriverPresence = 'bound' | 'builtin' | 'none';

/** The spellings of a driver's name that hosts report ("-" and "_" are one), with the kmods behind it. */
export async function driverSpellings(
  sql: Sql,
  folded: string,
  scope: HostScope,
): Promise<{ driver: string; kmod: string | null }[]> {
  const params = new SqlParams();
  return sql.query<{ driver: string; kmod: string | null }>(
    `SELECT DISTINCT d.driver, k.name AS kmod FROM device_driver d LEFT JOIN kmod k ON k.id = d.kmod_id
      WHERE d.driver <> '' AND replace(d.driver, '-', '_') = ${params.add(folded)} AND ${setInScope(scope, 'devices', 'd.set_id', params)} ORDER BY 1, 2`,
    params.values,
  );
}

export async function allDriverNames(sql: Sql, scope: HostScope): Promise<string[]> {
  const params = new SqlParams();
  const rows = await sql.query<{ driver: string }>(
    `SELECT DISTINCT d.driver FROM device_driver d WHERE d.driver <> '' AND ${setInScope(scope, 'devices', 'd.set_id', params)} ORDER BY d.driver`,
    params.values,
  );
  return rows.map((row) => row.driver);
}

/** CTEs `selected` and `standing` (one row a chosen host). */
async function standingStatement(
  sql: Sql,
  drivers: readonly string[],
  selection: Selection,
  params: SqlParams,
): Promise<string> {
  const selected = await selectionSql(
    sql,
    selection,
    params,
    ['NOT h.retired'],
    [
      'h.name',
      'h.kernel_release',
      'h.devices AS set',
      'h.devices_coverage AS coverage',
      'h.devices_reason AS reason',
      'h.devices_observed_at AS observed_at',
    ],
  );
  return `WITH selected AS MATERIALIZED (${selected}),
    sets AS MATERIALIZED (
      SELECT d.set_id, bool_or(NOT d.builtin) AS by_kmod, min(d.driver) AS driver, min(k.name) AS kmod,
             jsonb_agg(jsonb_build_object('bus', d.bus, 'address', d.address, 'modalias', d.modalias, 'names', d.names) ORDER BY d.bus, d.address) AS devices
        FROM device_driver d LEFT JOIN kmod k ON k.id = d.kmod_id WHERE d.driver = ANY (${params.add(drivers)}::text[]) GROUP BY d.set_id),
    standing AS (
      SELECT c.id, c.name, c.kernel_release, c.coverage, c.reason, c.observed_at, s.driver, s.kmod, s.devices,
             CASE WHEN c.set IS NULL THEN NULL WHEN s.by_kmod THEN 'bound' WHEN s.set_id IS NOT NULL THEN 'builtin' ELSE 'none' END AS last
        FROM selected c
        LEFT JOIN sets s ON s.set_id = c.set
       WHERE ${chosen(selection)})`;
}

export interface DriverTally extends CoverageCounts {
  readonly asOf: Date;
  readonly selectorUnknown: number;
  readonly bound: number;
  readonly builtin: number;
  readonly none: number;
  readonly lastBound: number;
  readonly lastBuiltin: number;
  readonly lastNone: number;
}

export async function tallyDriver(sql: Sql, drivers: readonly string[], selection: Selection): Promise<DriverTally> {
  const params = new SqlParams();
  const text = await standingStatement(sql, drivers, selection, params);
  const left = selection.includeUnknown ? '0::bigint' : '(SELECT count(*) FROM selected WHERE matches IS NULL)';
  const columns = (['bound', 'builtin', 'none'] as const).map(
    (word) => `count(*) FILTER (WHERE coverage = 'fresh' AND last = '${word}') AS ${word},
               count(*) FILTER (WHERE coverage <> 'fresh' AND last = '${word}') AS "last${word[0]?.toUpperCase() ?? ''}${word.slice(1)}"`,
  );
  const [row] = await sql.query<DriverTally>(
    `${text} SELECT now() AS "asOf", ${left} AS "selectorUnknown", ${COVERAGE_COUNT_COLUMNS}, ${columns.join(', ')} FROM standing`,
    params.values,
  );
  if (row === undefined) throw new Error('an aggregate without a row');
  return row;
}

export interface DriverHostRow {
  readonly id: string;
  readonly name: string;
  readonly kernel_release: string;
  readonly coverage: 'fresh' | 'stale' | 'silent' | 'incapable';
  readonly reason: string | null;
  readonly observed_at: Date | null;
  readonly driver: string | null;
  readonly kmod: string | null;
  readonly devices: { bus: string; address: string; modalias: string; names: string[] }[] | null;
  readonly last: DriverPresence | null;
}

/** Hosts after `after` (name, id), one more than `limit` when there is a next page; `unknown` is a host whose devices are not fresh. */
export async function pageOfDriverHosts(
  sql: Sql,
  drivers: readonly string[],
  selection: Selection,
  presence: readonly string[],
  after: readonly (string | number)[] | null,
  limit: number,
): Promise<DriverHostRow[]> {
  const params = new SqlParams();
  const text = await standingStatement(sql, drivers, selection, params);
  const beyond = after === null ? 'true' : `(name, id) > (${params.add(after[0])}, ${params.add(after[1])}::uuid)`;
  return sql.query<DriverHostRow>(
    `${text} SELECT * FROM standing
      WHERE (CASE WHEN coverage = 'fresh' THEN last ELSE 'unknown' END) = ANY (${params.add(presence)}::text[]) AND ${beyond}
      ORDER BY name, id LIMIT ${params.add(limit + 1)}`,
    params.values,
  );
}
