import type { LoadedKmod } from '@modfleet/proto';
import type { Sql } from '../database/database.service.ts';
import { clean } from './clean.ts';

/** Ids by key (hex). */
export async function selectBuilds(sql: Sql, keys: readonly string[]): Promise<Map<string, number>> {
  const rows = await sql.query<{ key: string; id: number }>(
    `SELECT encode(key, 'hex') AS key, id FROM kmod_build WHERE key = ANY (SELECT decode(unnest($1::text[]), 'hex'))`,
    [keys],
  );
  return new Map(rows.map(({ key, id }) => [key, id]));
}

/** Several servers may add the same ones. */
export async function insertBuilds(
  sql: Sql,
  rows: readonly { readonly kmod: LoadedKmod; readonly key: string; readonly kmodId: number }[],
): Promise<void> {
  await sql.query(
    `INSERT INTO kmod_build (kmod_id, key, build_id, size, taint, version, srcversion, state)
     SELECT v.kmod_id, decode(v.key, 'hex'), v.build_id, v.size, v.taint, v.version, v.srcversion, v.state
       FROM unnest($1::int[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::smallint[])
         AS v (kmod_id, key, build_id, size, taint, version, srcversion, state)
     ON CONFLICT (key) DO NOTHING`,
    [
      rows.map((row) => row.kmodId),
      rows.map((row) => row.key),
      rows.map((row) => clean(row.kmod.buildId)),
      rows.map((row) => row.kmod.size),
      rows.map((row) => clean(row.kmod.taint)),
      rows.map((row) => clean(row.kmod.version)),
      rows.map((row) => clean(row.kmod.srcversion)),
      rows.map((row) => row.kmod.state),
    ],
  );
}
