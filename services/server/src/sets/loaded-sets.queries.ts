import type { Sql } from '../database/database.service.ts';

/** What a transaction sees beyond what memory has. */
export interface NewSets {
  /** The oldest transaction that has not ended: sets of those before it are all seen. */
  readonly edge: number;
  readonly ids: readonly number[];
}

/**
 * Sets that were stored by a transaction that had not ended at `edge`, or began since; some may be known. `edge` null: all sets. What was restored from another
 * cluster carries transactions to come: those are among all sets, and not asked for again.
 */
export async function setsSince(sql: Sql, edge: number | null): Promise<NewSets> {
  const [row] = await sql.query<{ edge: number; ids: number[] | null }>(
    `WITH seen AS MATERIALIZED (
       SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS edge, pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS top)
     SELECT seen.edge, (SELECT array_agg(s.id) FROM loaded_set s WHERE $1::bigint IS NULL OR (s.stored_by >= $1 AND s.stored_by < seen.top)) AS ids FROM seen`,
    [edge],
  );
  if (row === undefined) throw new Error('a snapshot without an edge');
  return { edge: row.edge, ids: row.ids ?? [] };
}

/** Contents as decimal numbers apart by commas: Postgres's arrays cost ten times as much to read here. */
export function contentsOfSets(sql: Sql, ids: readonly number[]): Promise<{ id: number; builds: string }[]> {
  return sql.query(
    `SELECT id, array_to_string(build_ids, ',') AS builds FROM loaded_set WHERE id = ANY ($1::int[]) ORDER BY id`,
    [ids],
  );
}

/** Of which kmods these builds are. */
export function kmodsOfBuilds(sql: Sql, builds: readonly number[]): Promise<{ id: number; kmodId: number }[]> {
  return sql.query('SELECT id, kmod_id AS "kmodId" FROM kmod_build WHERE id = ANY ($1::int[])', [builds]);
}
