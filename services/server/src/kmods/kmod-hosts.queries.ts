import type { HostScope } from '../access/host-scope.ts';
import { scopeCondition, setInScope } from '../access/host-scope.queries.ts';
import type { Sql } from '../database/database.service.ts';
import { SqlParams } from '../database/sql-params.ts';
import type { CoverageCounts } from '../presence/coverage.queries.ts';
import { chosen, labelsAlone, leftOutSql, type Selection, selectionSql } from '../selectors/selection.queries.ts';
import { labelExpression } from '../selectors/selector.queries.ts';
import type { LoadedSets } from '../sets/loaded-sets.ts';
import type { KmodSubject } from './kmod-resolution.ts';
import { standingCounts, standingStatement } from './kmod-standing.queries.ts';

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

const hosts = (condition: string): string => `coalesce(sum(n) FILTER (WHERE ${condition}), 0)::bigint`;

/** Select list of {@link KmodTally} over the `standing` of standingCounts, but for `selectorUnknown`. */
const TALLY_COLUMNS = `now() AS "asOf", coalesce(sum(n), 0)::bigint AS total,
            ${hosts(`coverage = 'fresh'`)} AS fresh, ${hosts(`coverage = 'stale'`)} AS stale, ${hosts(`coverage = 'silent'`)} AS silent,
            ${hosts(`coverage = 'incapable'`)} AS incapable,
            ${hosts(`known = 'loaded'`)} AS loaded, ${hosts(`known = 'builtin'`)} AS builtin,
            ${hosts(`known = 'on_disk'`)} AS "onDisk", ${hosts(`known = 'absent'`)} AS absent,
            ${hosts(`known IS NULL AND last = 'loaded'`)} AS "lastLoaded",
            ${hosts(`known IS NULL AND last = 'builtin'`)} AS "lastBuiltin",
            ${hosts(`known IS NULL AND last = 'on_disk'`)} AS "lastOnDisk",
            ${hosts(`known IS NULL AND last = 'absent'`)} AS "lastAbsent",
            ${hosts(`c5 = 'fresh' AND blocked = 'no'`)} AS "blockedNo",
            ${hosts(`c5 = 'fresh' AND blocked = 'partly'`)} AS "blockedPartly",
            ${hosts(`c5 = 'fresh' AND blocked = 'kernel'`)} AS "blockedKernel"`;

/** Counts over all chosen hosts. */
export async function tallyKmod(
  sql: Sql,
  sets: LoadedSets,
  subject: KmodSubject,
  selection: Selection,
): Promise<KmodTally> {
  const statement = await standingCounts(sql, sets, subject, selection);
  const [row] = await sql.query<KmodTally>(
    `${statement.with} SELECT ${TALLY_COLUMNS}, ${await leftOutSql(sql, selection, statement.params)} AS "selectorUnknown" FROM standing`,
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
  readonly config_set: number | null;
  readonly device_set: number | null;
}

/** An entry of what is loaded, over `kmod_build b`. */
const ENTRY = `jsonb_build_object('buildId', b.build_id, 'size', b.size, 'taint', b.taint, 'version', b.version, 'srcversion', b.srcversion,
                                  'state', kmod_state_word(b.state))`;

/** The chosen hosts after `after` (name, id), at most `limit`. */
export async function nextHosts(
  sql: Sql,
  selection: Selection,
  after: readonly (string | number)[] | null,
  limit: number,
): Promise<{ id: string; name: string }[]> {
  const params = new SqlParams();
  const beyond = after === null ? 'true' : `(h.name, h.id) > (${params.add(after[0])}, ${params.add(after[1])}::uuid)`;
  const labels = labelsAlone(selection);
  if (labels !== undefined) {
    // All that is asked stands in `host`: a walk through the index of names.
    const conditions = ['h.retired_at IS NULL', beyond, scopeCondition(selection.scope, params)];
    conditions.push(...labels.map((requirement) => `(${labelExpression(requirement, params)})`));
    return sql.query(
      `SELECT h.id, h.name FROM host h WHERE ${conditions.join(' AND ')} ORDER BY h.name, h.id LIMIT ${params.add(limit)}`,
      params.values,
    );
  }
  const selected = await selectionSql(
    sql,
    selection,
    params,
    ['NOT h.retired', 'h.name IS NOT NULL', beyond],
    ['h.name'],
  );
  return sql.query(
    `SELECT id, name FROM (${selected}) s WHERE ${chosen(selection)} ORDER BY name, id LIMIT ${params.add(limit)}`,
    params.values,
  );
}

/**
 * Those of the hosts `among` that are chosen and have one of the presences, by (name, id); `unknown` is a host without a known presence.
 *
 * @param after only those after this (name, id).
 */
export async function kmodHostsAmong(
  sql: Sql,
  sets: LoadedSets,
  subject: KmodSubject,
  selection: Selection,
  presence: readonly string[],
  among: readonly string[],
  after: readonly (string | number)[] | null = null,
): Promise<KmodHostRow[]> {
  const { with: text, params } = await standingStatement(sql, sets, subject, selection, among);
  const beyond = after === null ? 'true' : `(name, s.id) > (${params.add(after[0])}, ${params.add(after[1])}::uuid)`;
  const rows = await sql.query<Omit<KmodHostRow, 'entry'> & { loaded: number | null }>(
    `${text} SELECT s.id, name, kernel_release, known, last, coverage, reason, observed_at, CASE WHEN is_loaded THEN loaded END AS loaded,
                    file_build_id, blocked, d5 AS config_set, d4 AS device_set
               FROM standing s
              WHERE coalesce(known, 'unknown') = ANY (${params.add(presence)}::text[]) AND ${beyond} ORDER BY name, s.id`,
    params.values,
  );
  const { kmodId } = subject;
  const buildOf = ({ loaded }: { readonly loaded: number | null }): number | undefined =>
    loaded === null || kmodId === null ? undefined : sets.buildIn(loaded, kmodId);
  const builds = new Set(rows.map(buildOf).filter((build) => build !== undefined));
  const entries = builds.size === 0 ? new Map() : await entriesOfBuilds(sql, [...builds]);
  return rows.map(({ loaded, ...row }) => ({ ...row, entry: entries.get(buildOf({ loaded }) ?? 0) ?? null }));
}

/** What is said of builds, as an entry of what is loaded. */
async function entriesOfBuilds(sql: Sql, builds: readonly number[]): Promise<Map<number, Record<string, unknown>>> {
  const rows = await sql.query<{ id: number; entry: Record<string, unknown> }>(
    `SELECT b.id, ${ENTRY} AS entry FROM kmod_build b WHERE b.id = ANY ($1::int[])`,
    [builds],
  );
  return new Map(rows.map(({ id, entry }) => [id, entry]));
}

/** Ids of hosts that last reported one of the sets, at most `limit`, in no order. */
export async function hostsWithSets(sql: Sql, sets: readonly number[], limit: number): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    'SELECT host_id AS id FROM host_inventory WHERE loaded = ANY ($1::int[]) LIMIT $2',
    [sets, limit],
  );
  return rows.map((row) => row.id);
}

/** Whether any host has it built in, by its kernel's own list or by what its devices show. */
export async function isBuiltInSomewhere(sql: Sql, subject: KmodSubject): Promise<boolean> {
  const drivers = [...new Set([subject.name, ...subject.drivers.map((driver) => driver.replaceAll('-', '_'))])];
  const [row] = await sql.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM available_kmod WHERE kmod_id = $1::int AND builtin)
            OR EXISTS (SELECT FROM device_driver WHERE builtin AND kmod_id IS NULL AND driver <> '' AND replace(driver, '-', '_') = ANY ($2::text[])) AS found`,
    [subject.kmodId, drivers],
  );
  return row?.found === true;
}

/** Loaded builds on fresh hosts, the most frequent first. */
export async function buildsOfKmod(
  sql: Sql,
  sets: LoadedSets,
  subject: KmodSubject,
  selection: Selection,
): Promise<{ buildId: string | null; version: string | null; kernelRelease: string; hosts: number }[]> {
  await sets.sync(sql);
  const having = sets.buildsIn(subject.kmodId);
  const params = new SqlParams();
  const fresh = ['NOT h.retired', `h.loaded_coverage = 'fresh'`];
  const selected = await selectionSql(sql, selection, params, fresh, ['h.kernel_release', 'h.loaded']);
  return sql.query(
    `WITH ls AS MATERIALIZED (SELECT * FROM unnest(${params.add(having.sets)}::int[], ${params.add(having.builds)}::int[]) AS s (set, build))
     SELECT nullif(b.build_id, '') AS "buildId", nullif(b.version, '') AS version, kernel_release AS "kernelRelease", count(*) AS hosts
       FROM (${selected}) h JOIN ls ON ls.set = h.loaded JOIN kmod_build b ON b.id = ls.build
      WHERE ${chosen(selection)} GROUP BY 1, 2, 3 ORDER BY 4 DESC, 3, 1 LIMIT 1000`,
    params.values,
  );
}

export interface SetBlockRow {
  readonly set: number;
  readonly rung: number;
  readonly file: string;
  readonly line: number;
  readonly detail: string;
}

/** Blocks of one kmod in these configurations, those that hold for every kmod included. */
export function blocksInSets(sql: Sql, kmodId: number | null, sets: readonly number[]): Promise<SetBlockRow[]> {
  return sql.query<SetBlockRow>(
    `SELECT set_id AS set, rung, file, line, detail FROM config_block
      WHERE set_id = ANY ($2::int[]) AND (kmod_id = $1::int OR kmod_id IS NULL) ORDER BY set_id, seq`,
    [kmodId, sets],
  );
}

export interface SetDeviceRow {
  readonly set: number;
  readonly bus: string;
  readonly address: string;
  readonly driver: string;
  readonly names: string[];
}

/** Devices that the kmod's drivers are bound to in these device sets. */
export function devicesInSets(sql: Sql, subject: KmodSubject, sets: readonly number[]): Promise<SetDeviceRow[]> {
  const drivers = [...new Set([subject.name, ...subject.drivers.map((driver) => driver.replaceAll('-', '_'))])];
  return sql.query<SetDeviceRow>(
    `SELECT set_id AS set, bus, address, driver, names FROM device_driver
      WHERE set_id = ANY ($1::int[]) AND driver <> ''
        AND (kmod_id = $2::int OR (kmod_id IS NULL AND builtin AND replace(driver, '-', '_') = ANY ($3::text[])))
      ORDER BY set_id, bus, address`,
    [sets, subject.kmodId, drivers],
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
    `SELECT a.description, a.license, a.depends FROM available_kmod a JOIN available_set s ON s.id = a.set_id
      WHERE a.kmod_id = ${params.add(kmodId)} AND ${setInScope(scope, 'available', 'a.set_id', params)}
      ORDER BY a.builtin, s.created_at DESC, s.id LIMIT 1`,
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
          WHERE a.kmod_id = ${id} AND ${setInScope(scope, 'available', 'a.set_id', params)}`;
  return (await sql.query<{ count: number }>(text, params.values))[0]?.count ?? 0;
}
