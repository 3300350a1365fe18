import type { Sql } from '../database/database.service.ts';
import { ROW_COLUMNS } from './audit-read.queries.ts';
import type { SealedRow } from './audit.model.ts';
import type { Lane } from './lanes.ts';
import type { Seal, SealedRange } from './seal.model.ts';

const SEAL_COLUMNS = `number, (extract(epoch FROM at) * 1000)::bigint AS "atMs", term, replica_id AS "replicaId", ranges, row_count AS "rowCount", root,
  previous, key_id AS "keyId", signature`;

/** Rows that no seal covers yet, as far as the lanes tell. */
export interface Unsealed {
  readonly rows: number;
  /** Age of the oldest, ms; null when there is none. */
  readonly ageMs: number | null;
}

/** Counting stops here. */
const COUNTED = 100_000;

export async function selectUnsealed(sql: Sql): Promise<Unsealed> {
  const [row] = await sql.query<Unsealed>(
    `SELECT count(*)::int AS rows, (extract(epoch FROM clock_timestamp() - min(at)) * 1000)::float8 AS "ageMs"
       FROM (SELECT e.at FROM audit_lane l
               CROSS JOIN LATERAL (SELECT at FROM audit.entry WHERE replica_id = l.replica_id AND lane = l.lane AND number > l.sealed_to
                                    ORDER BY number LIMIT $1) e LIMIT $1) AS unsealed`,
    [COUNTED],
  );
  return row ?? { rows: 0, ageMs: null };
}

/**
 * Takes or renews the lease until the end of the transaction at least: the row stays locked, so that nobody else seals meanwhile, whatever the clocks say.
 *
 * @returns undefined when another replica holds it; else the term, and Postgres's time in ms.
 */
export async function takeLease(
  sql: Sql,
  replicaId: string,
  seconds: number,
): Promise<{ readonly term: number; readonly nowMs: number } | undefined> {
  const rows = await sql.query<{ term: number; nowMs: number }>(
    `UPDATE audit_lease
        SET term = term + CASE WHEN owner IS DISTINCT FROM $1 THEN 1 ELSE 0 END, owner = $1, expires_at = clock_timestamp() + make_interval(secs => $2)
      WHERE id = 1 AND (owner = $1 OR expires_at < clock_timestamp())
     RETURNING term, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS "nowMs"`,
    [replicaId, seconds],
  );
  return rows[0];
}

/** Gives the lease back, so that another replica need not wait for its end. */
export async function dropLease(sql: Sql, replicaId: string): Promise<void> {
  await sql.query(`UPDATE audit_lease SET expires_at = '-infinity' WHERE id = 1 AND owner = $1`, [replicaId]);
}

/**
 * The oldest unsealed rows of every lane, in the order of their seal. What a snapshot shows of a lane is its beginning (lanes.ts), so that no row can come
 * later before one that was sealed.
 */
export function selectUnsealedRows(sql: Sql, limit: number): Promise<SealedRow[]> {
  return sql.query<SealedRow>(
    `SELECT ${ROW_COLUMNS} FROM audit_lane l
      CROSS JOIN LATERAL (SELECT * FROM audit.entry WHERE replica_id = l.replica_id AND lane = l.lane AND number > l.sealed_to
                           ORDER BY number LIMIT $1) e
      ORDER BY e.replica_id, e.lane, e.number LIMIT $1`,
    [limit],
  );
}

export async function selectLastSeal(sql: Sql): Promise<Seal | undefined> {
  return (await sql.query<Seal>(`SELECT ${SEAL_COLUMNS} FROM audit.seal ORDER BY number DESC LIMIT 1`))[0];
}

/** Seals from `number` on, in order. */
export function selectSeals(sql: Sql, number: number, limit: number): Promise<Seal[]> {
  return sql.query<Seal>(`SELECT ${SEAL_COLUMNS} FROM audit.seal WHERE number >= $1 ORDER BY number LIMIT $2`, [
    number,
    limit,
  ]);
}

export async function insertSeal(sql: Sql, seal: Seal): Promise<void> {
  await sql.query(
    `INSERT INTO audit.seal (number, at, term, replica_id, ranges, row_count, root, previous, key_id, signature)
     VALUES ($1, to_timestamp($2 / 1000.0), $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      seal.number,
      seal.atMs,
      seal.term,
      seal.replicaId,
      seal.ranges,
      seal.rowCount,
      seal.root,
      seal.previous,
      seal.keyId,
      seal.signature,
    ],
  );
}

/** Notes how far lanes are sealed. */
export async function updateLanes(sql: Sql, ranges: readonly SealedRange[]): Promise<void> {
  await sql.query(
    `UPDATE audit_lane l SET sealed_to = r.sealed_to
       FROM (SELECT replica_id, lane, max(sealed_to) AS sealed_to FROM unnest($1::uuid[], $2::int[], $3::bigint[]) AS r (replica_id, lane, sealed_to) GROUP BY 1, 2) r
      WHERE l.replica_id = r.replica_id AND l.lane = r.lane`,
    [ranges.map(({ replicaId }) => replicaId), ranges.map(({ lane }) => lane), ranges.map(({ to }) => to)],
  );
}

/** How far the sealer was in these lanes, for those that it knows. */
export function selectSealedTo(
  sql: Sql,
  ranges: readonly SealedRange[],
): Promise<{ replicaId: string; lane: number; sealedTo: number }[]> {
  return sql.query(
    `SELECT l.replica_id AS "replicaId", l.lane, l.sealed_to AS "sealedTo" FROM audit_lane l
       JOIN (SELECT DISTINCT * FROM unnest($1::uuid[], $2::int[])) AS r (replica_id, lane) USING (replica_id, lane)`,
    [ranges.map(({ replicaId }) => replicaId), ranges.map(({ lane }) => lane)],
  );
}

/** Lanes to which no process writes any more (lanes.ts), and where all is sealed, need not be looked at again. */
export async function dropOldLanes(sql: Sql, days: number): Promise<void> {
  await sql.query(
    `DELETE FROM audit_lane l WHERE opened_at < now() - make_interval(days => $1)
        AND NOT EXISTS (SELECT 1 FROM audit.entry e WHERE e.replica_id = l.replica_id AND e.lane = l.lane AND e.number > l.sealed_to)`,
    [days],
  );
}

/** Which of these rows are not there. */
export async function selectMissing(sql: Sql, replicaId: string, heads: readonly Lane[]): Promise<Lane[]> {
  return sql.query<Lane>(
    `SELECT h.lane, h.head FROM unnest($2::int[], $3::bigint[]) AS h (lane, head)
      WHERE NOT EXISTS (SELECT 1 FROM audit.entry e WHERE e.replica_id = $1 AND e.lane = h.lane AND e.number = h.head)`,
    [replicaId, heads.map(({ lane }) => lane), heads.map(({ head }) => head)],
  );
}
