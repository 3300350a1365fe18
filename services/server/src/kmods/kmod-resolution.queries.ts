import type { HostScope } from '../access/host-scope.ts';
import { type ScopedPart, setInScope } from '../access/host-scope.queries.ts';
import type { Sql } from '../database/database.service.ts';
import { SqlParams } from '../database/sql-params.ts';

/** Condition on `kmod k`: some host in scope reported it in some way. */
function reported(scope: HostScope, params: SqlParams): string {
  const within = (part: ScopedPart, id: string): string => setInScope(scope, part, id, params);
  return `(EXISTS (SELECT FROM available_kmod a WHERE a.kmod_id = k.id AND ${within('available', 'a.set_id')})
          OR EXISTS (SELECT FROM kmod_build b JOIN loaded_set s ON s.build_ids @> ARRAY[b.id] WHERE b.kmod_id = k.id AND ${within('loaded', 's.id')})
          OR EXISTS (SELECT FROM device_driver d WHERE d.kmod_id = k.id AND ${within('devices', 'd.set_id')})
          OR EXISTS (SELECT FROM config_block b WHERE b.kmod_id = k.id AND ${within('config', 'b.set_id')}))`;
}

/** Ids of the canonical names that some host in scope reported in some way; names in the dictionary that none did are unknown. */
export async function knownKmods(
  sql: Sql,
  names: readonly string[],
  scope: HostScope,
): Promise<ReadonlyMap<string, number>> {
  if (names.length === 0) return new Map();
  const params = new SqlParams();
  const rows = await sql.query<{ id: number; name: string }>(
    `SELECT k.id, k.name FROM kmod k WHERE k.name = ANY (${params.add(names)}::text[]) AND ${reported(scope, params)}`,
    params.values,
  );
  return new Map(rows.map((row) => [row.name, row.id]));
}

/** Aliases whose literal beginning is one of these; kmods that some host has loaded come first. */
export function aliasesByBeginning(
  sql: Sql,
  beginnings: readonly string[],
): Promise<{ pattern: string; name: string }[]> {
  return sql.query<{ pattern: string; name: string }>(
    `SELECT a.pattern, k.name FROM kmod_alias a JOIN kmod k ON k.id = a.kmod_id
      WHERE replace(a.prefix, '-', '_') = ANY ($1::text[])
      ORDER BY EXISTS (SELECT FROM kmod_build b JOIN loaded_set s ON s.build_ids @> ARRAY[b.id] WHERE b.kmod_id = k.id) DESC, k.name, a.pattern`,
    [beginnings],
  );
}

/** Kmods behind a driver's name ("-" and "_" folded) on hosts in scope; null for code that is built in without a kmod's name. */
export function kmodsOfDriver(sql: Sql, folded: string, scope: HostScope): Promise<{ name: string | null }[]> {
  const params = new SqlParams();
  return sql.query<{ name: string | null }>(
    `SELECT DISTINCT k.name FROM device_driver d LEFT JOIN kmod k ON k.id = d.kmod_id
      WHERE d.driver <> '' AND replace(d.driver, '-', '_') = ${params.add(folded)} AND ${setInScope(scope, 'devices', 'd.set_id', params)}
      ORDER BY k.name NULLS LAST`,
    params.values,
  );
}

/** Drivers that a kmod provides on some host in scope, as the devices say them. */
export async function driversOfKmod(sql: Sql, kmodId: number, scope: HostScope): Promise<string[]> {
  const params = new SqlParams();
  const rows = await sql.query<{ driver: string }>(
    `SELECT DISTINCT d.driver FROM device_driver d
      WHERE d.kmod_id = ${params.add(kmodId)} AND d.driver <> '' AND ${setInScope(scope, 'devices', 'd.set_id', params)} ORDER BY d.driver`,
    params.values,
  );
  return rows.map((row) => row.driver);
}

/** Names to look for one like another in. */
export async function allKmodNames(sql: Sql, scope: HostScope): Promise<string[]> {
  const params = new SqlParams();
  const where = scope === 'all' ? 'true' : reported(scope, params);
  const rows = await sql.query<{ name: string }>(
    `SELECT k.name FROM kmod k WHERE ${where} ORDER BY k.name`,
    params.values,
  );
  return rows.map((row) => row.name);
}
