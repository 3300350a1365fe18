import type { Sql } from '../database/database.service.ts';
import { likeOfGlob, SqlParams } from '../database/sql-params.ts';

/** Numbers of the sets that a host last reported. */
export interface HostSets {
  readonly loaded: number | null;
  readonly available: number | null;
  readonly devices: number | null;
  readonly config: number | null;
}

export interface HostKmodRow {
  readonly name: string;
  /** As loaded_entries() of migration 0016 gives it; null when not loaded. */
  readonly entry: Record<string, unknown> | null;
  /** Null when the host's tree does not have it. */
  readonly builtin: boolean | null;
  readonly path: string | null;
  readonly version: string | null;
  readonly srcversion: string | null;
  readonly build_id: string | null;
}

export interface BlockRow {
  /** Null: holds for every kmod. */
  readonly kmod: string | null;
  readonly rung: number;
  readonly file: string;
  readonly line: number;
  readonly detail: string;
}

export interface DeviceRow {
  readonly bus: string;
  readonly address: string;
  readonly modalias: string;
  readonly driver: string;
  readonly kmod: string | null;
  readonly builtin: boolean;
  readonly names: string[];
}

/** Kmods of one host by presence: loaded, or in the tree of its kernel. */
const HOST_KMODS = `
  SELECT coalesce(l.name, a.name) AS name, l.entry, a.builtin, a.path, a.version, a.srcversion, a.build_id,
         CASE WHEN l.name IS NOT NULL THEN 'loaded' WHEN a.builtin THEN 'builtin' ELSE 'on_disk' END AS presence
    FROM (SELECT e.key AS name, e.value AS entry FROM loaded_set s, jsonb_each(loaded_entries(s.build_ids)) e WHERE s.id = $1) l
    FULL JOIN (SELECT k.name, t.* FROM available_kmod t JOIN kmod k ON k.id = t.kmod_id WHERE t.set_id = $2) a ON a.name = l.name`;

export async function pageOfHostKmods(
  sql: Sql,
  sets: HostSets,
  filter: { readonly presence: readonly string[]; readonly name?: string | undefined },
  after: string | null,
  limit: number,
): Promise<HostKmodRow[]> {
  const params = new SqlParams();
  params.add(sets.loaded);
  params.add(sets.available);
  const conditions = [`presence = ANY (${params.add(filter.presence)}::text[])`];
  if (filter.name !== undefined)
    conditions.push(`name LIKE ${params.add(likeOfGlob(filter.name.replaceAll('-', '_')))}`);
  if (after !== null) conditions.push(`name > ${params.add(after)}`);
  return sql.query<HostKmodRow>(
    `SELECT * FROM (${HOST_KMODS}) k WHERE ${conditions.join(' AND ')} ORDER BY name LIMIT ${params.add(limit + 1)}`,
    params.values,
  );
}

/** How many kmods the host has by presence; zeros for a set that was never reported. */
export async function countHostKmods(
  sql: Sql,
  sets: HostSets,
): Promise<{ loaded: number; builtin: number; on_disk: number }> {
  const [row] = await sql.query<{ loaded: number; builtin: number; on_disk: number }>(
    `SELECT count(*) FILTER (WHERE presence = 'loaded') AS loaded, count(*) FILTER (WHERE presence = 'builtin') AS builtin,
            count(*) FILTER (WHERE presence = 'on_disk') AS on_disk FROM (${HOST_KMODS}) k`,
    [sets.loaded, sets.available],
  );
  return row ?? { loaded: 0, builtin: 0, on_disk: 0 };
}

/** Blocks of these kmods, and those that hold for every kmod. */
export function blocksOfHost(sql: Sql, config: number | null, kmods: readonly string[]): Promise<BlockRow[]> {
  return sql.query<BlockRow>(
    `SELECT k.name AS kmod, b.rung, b.file, b.line, b.detail FROM config_block b LEFT JOIN kmod k ON k.id = b.kmod_id
      WHERE b.set_id = $1 AND (b.kmod_id IS NULL OR k.name = ANY ($2::text[])) ORDER BY b.seq`,
    [config, kmods],
  );
}

/** Canonical bytes of the host's parameters; undefined when never reported. */
export async function parametersOfHost(sql: Sql, hostId: string): Promise<Buffer | undefined> {
  const rows = await sql.query<{ value: Buffer }>('SELECT value FROM host_parameters WHERE host_id = $1', [hostId]);
  return rows[0]?.value;
}

export async function configSummaryOfHost(sql: Sql, config: number | null): Promise<unknown> {
  const rows = await sql.query<{ summary: unknown }>('SELECT summary FROM config_set WHERE id = $1', [config]);
  return rows[0]?.summary ?? {};
}

export async function pageOfDevices(
  sql: Sql,
  devices: number | null,
  filter: { readonly driver?: string | undefined; readonly bus?: string | undefined },
  after: readonly (string | number)[] | null,
  limit: number,
): Promise<DeviceRow[]> {
  const params = new SqlParams();
  const conditions = [`d.set_id = ${params.add(devices)}`];
  if (filter.driver !== undefined)
    conditions.push(`replace(d.driver, '-', '_') = ${params.add(filter.driver.replaceAll('-', '_'))}`);
  if (filter.bus !== undefined) conditions.push(`d.bus = ${params.add(filter.bus)}`);
  if (after !== null) conditions.push(`(d.bus, d.address) > (${params.add(after[0])}, ${params.add(after[1])})`);
  return sql.query<DeviceRow>(
    `SELECT d.bus, d.address, d.modalias, d.driver, k.name AS kmod, d.builtin, d.names
       FROM device_driver d LEFT JOIN kmod k ON k.id = d.kmod_id
      WHERE ${conditions.join(' AND ')} ORDER BY d.bus, d.address LIMIT ${params.add(limit + 1)}`,
    params.values,
  );
}
