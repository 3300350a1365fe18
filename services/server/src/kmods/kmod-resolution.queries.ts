import type { HostScope } from '../access/host-scope.ts';
import { type ScopedPart, scopeCondition, setInScope } from '../access/host-scope.queries.ts';
import type { Sql } from '../database/database.service.ts';
import { SqlParams } from '../database/sql-params.ts';
import type { LoadedSets } from '../sets/loaded-sets.ts';
import { bitSql } from '../sets/set-bits.ts';

/** Condition on `kmod k`: some host in scope reported it in another way than as loaded. */
function reported(scope: HostScope, params: SqlParams): string {
  const within = (part: ScopedPart, id: string): string => setInScope(scope, part, id, params);
  return `(EXISTS (SELECT FROM available_kmod a WHERE a.kmod_id = k.id AND ${within('available', 'a.set_id')})
          OR EXISTS (SELECT FROM device_driver d WHERE d.kmod_id = k.id AND ${within('devices', 'd.set_id')})
          OR EXISTS (SELECT FROM config_block b WHERE b.kmod_id = k.id AND ${within('config', 'b.set_id')}))`;
}

/** Whether some host in scope has it loaded; of the whole fleet, whether any set that is kept has it. */
async function isLoaded(sql: Sql, sets: LoadedSets, kmodId: number, scope: HostScope): Promise<boolean> {
  await sets.sync(sql);
  const having = sets.having(kmodId);
  if (scope === 'all' || having.bits.length === 0) return having.bits.length > 0;
  const params = new SqlParams();
  const [row] = await sql.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM host_inventory i JOIN label_set l ON l.id = i.label_set
                     WHERE NOT i.retired AND ${bitSql(having, 'i.loaded', params)} = 1 AND ${scopeCondition(scope, params, 'l.labels')}) AS found`,
    params.values,
  );
  return row?.found === true;
}

/** Ids of the canonical names that some host in scope reported in some way; names in the dictionary that none did are unknown. */
export async function knownKmods(
  sql: Sql,
  sets: LoadedSets,
  names: readonly string[],
  scope: HostScope,
): Promise<ReadonlyMap<string, number>> {
  if (names.length === 0) return new Map();
  const params = new SqlParams();
  const rows = await sql.query<{ id: number; name: string; reported: boolean }>(
    `SELECT k.id, k.name, ${reported(scope, params)} AS reported FROM kmod k WHERE k.name = ANY (${params.add(names)}::text[])`,
    params.values,
  );
  const known = new Map<string, number>();
  for (const row of rows) if (row.reported || (await isLoaded(sql, sets, row.id, scope))) known.set(row.name, row.id);
  return known;
}

/** Aliases whose literal beginning is one of these; kmods that some host has had loaded come first. */
export function aliasesByBeginning(
  sql: Sql,
  beginnings: readonly string[],
): Promise<{ pattern: string; name: string }[]> {
  return sql.query<{ pattern: string; name: string }>(
    `SELECT a.pattern, k.name FROM kmod_alias a JOIN kmod k ON k.id = a.kmod_id
      WHERE replace(a.prefix, '-', '_') = ANY ($1::text[])
      ORDER BY EXISTS (SELECT FROM kmod_build b WHERE b.kmod_id = k.id) DESC, k.name, a.pattern`,
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
export async function allKmodNames(sql: Sql, sets: LoadedSets, scope: HostScope): Promise<string[]> {
  const params = new SqlParams();
  const where =
    scope === 'all'
      ? 'true'
      : `${reported(scope, params)} OR k.id = ANY (${params.add(await kmodsLoadedIn(sql, sets, scope))}::int[])`;
  const rows = await sql.query<{ name: string }>(
    `SELECT k.name FROM kmod k WHERE ${where} ORDER BY k.name`,
    params.values,
  );
  return rows.map((row) => row.name);
}

async function kmodsLoadedIn(sql: Sql, sets: LoadedSets, scope: HostScope): Promise<number[]> {
  await sets.sync(sql);
  const params = new SqlParams();
  const rows = await sql.query<{ id: number }>(
    `SELECT DISTINCT i.loaded AS id FROM host_inventory i JOIN label_set l ON l.id = i.label_set
      WHERE NOT i.retired AND i.loaded IS NOT NULL AND ${scopeCondition(scope, params, 'l.labels')}`,
    params.values,
  );
  return sets.kmodsIn(rows.map((row) => row.id));
}
