import type { Sql } from '../database/database.service.ts';

/** The id of a canonical name that some host reported in some way; names in the dictionary that none did are unknown. */
export async function knownKmod(sql: Sql, name: string): Promise<number | undefined> {
  const rows = await sql.query<{ id: number }>(
    `SELECT k.id FROM kmod k WHERE k.name = $1
        AND (EXISTS (SELECT FROM available_kmod a WHERE a.kmod_id = k.id) OR EXISTS (SELECT FROM loaded_set s WHERE s.kmod_ids @> ARRAY[k.id])
          OR EXISTS (SELECT FROM device_driver d WHERE d.kmod_id = k.id) OR EXISTS (SELECT FROM config_block b WHERE b.kmod_id = k.id))`,
    [name],
  );
  return rows[0]?.id;
}

/** Aliases whose literal beginning is one of these; kmods that some host has loaded come first. */
export function aliasesByBeginning(
  sql: Sql,
  beginnings: readonly string[],
): Promise<{ pattern: string; name: string }[]> {
  return sql.query<{ pattern: string; name: string }>(
    `SELECT a.pattern, k.name FROM kmod_alias a JOIN kmod k ON k.id = a.kmod_id
      WHERE replace(a.prefix, '-', '_') = ANY ($1::text[])
      ORDER BY EXISTS (SELECT FROM loaded_set s WHERE s.kmod_ids @> ARRAY[k.id]) DESC, k.name, a.pattern`,
    [beginnings],
  );
}

/** Kmods behind a driver's name ("-" and "_" folded); null for code that is built in without a kmod's name. */
export function kmodsOfDriver(sql: Sql, folded: string): Promise<{ name: string | null }[]> {
  return sql.query<{ name: string | null }>(
    `SELECT DISTINCT k.name FROM device_driver d LEFT JOIN kmod k ON k.id = d.kmod_id
      WHERE d.driver <> '' AND replace(d.driver, '-', '_') = $1 ORDER BY k.name NULLS LAST`,
    [folded],
  );
}

/** Drivers that a kmod provides on some host, as the devices say them. */
export async function driversOfKmod(sql: Sql, kmodId: number): Promise<string[]> {
  const rows = await sql.query<{ driver: string }>(
    `SELECT DISTINCT driver FROM device_driver WHERE kmod_id = $1 AND driver <> '' ORDER BY driver`,
    [kmodId],
  );
  return rows.map((row) => row.driver);
}

export async function allKmodNames(sql: Sql): Promise<string[]> {
  return (await sql.query<{ name: string }>('SELECT name FROM kmod ORDER BY name')).map((row) => row.name);
}
