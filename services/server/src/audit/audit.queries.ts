import type { Sql } from '../database/database.service.ts';
import type { AuditRow, AuditWhat, SealedRow } from './audit.model.ts';

/** Says that a lane has rows, so that the sealer looks there; in the transaction of its first. */
export async function insertLane(sql: Sql, replicaId: string, lane: number): Promise<void> {
  await sql.query('INSERT INTO audit_lane (replica_id, lane) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
    replicaId,
    lane,
  ]);
}

/** What all rows of one call have in common. */
export type SharedColumns = Pick<AuditRow, 'replicaId' | 'lane' | 'atMs'>;

/** Appends rows, in one statement. */
export async function insertRows(
  sql: Sql,
  shared: SharedColumns,
  rows: readonly Omit<SealedRow, keyof SharedColumns>[],
): Promise<void> {
  const column = <T>(pick: (row: (typeof rows)[number]) => T): T[] => rows.map(pick);
  await sql.query(
    `INSERT INTO audit.entry (replica_id, lane, at, actor_kind, actor_id, actor_name, via, address, request_id, key_digest,
                              number, what, object, kmod, selector, target_count, target_root, host_ids, reason, details, outcome, mac)
     SELECT $1, $2, to_timestamp($3::bigint / 1000.0), actor_kind, actor_id, actor_name, via, address, request_id, key_digest,
            number, what, object, kmod, selector, target_count, target_root, host_ids::uuid[], reason, details, outcome, mac
       FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bytea[],
                   $11::bigint[], $12::text[], $13::text[], $14::text[], $15::text[], $16::int[], $17::bytea[], $18::text[], $19::text[], $20::text[],
                   $21::text[], $22::bytea[])
         AS r (actor_kind, actor_id, actor_name, via, address, request_id, key_digest,
               number, what, object, kmod, selector, target_count, target_root, host_ids, reason, details, outcome, mac)`,
    [
      shared.replicaId,
      shared.lane,
      shared.atMs,
      column((row) => row.actorKind),
      column((row) => row.actorId),
      column((row) => row.actorName),
      column((row) => row.via),
      column((row) => row.address),
      column((row) => row.requestId),
      column((row) => row.keyDigest),
      column((row) => row.number),
      column((row) => row.what),
      column((row) => row.object),
      column((row) => row.kmod),
      column((row) => row.selector),
      column((row) => row.targetCount),
      column((row) => row.targetRoot),
      column((row) => `{${row.hostIds.join(',')}}`),
      column((row) => row.reason),
      column((row) => row.details),
      column((row) => row.outcome),
      column((row) => row.mac),
    ],
  );
}

/**
 * Whether a decision of this kind is recorded whose details hold this id, for work that goes on outside the transaction of its row. Reads the whole log,
 * which has no index for it: asked after a crash, and by people's commands, not by the server's day.
 */
export async function isRecorded(sql: Sql, what: AuditWhat, id: string): Promise<boolean> {
  const rows = await sql.query('SELECT 1 FROM audit.entry WHERE what = $1 AND position($2 in details) > 0 LIMIT 1', [
    what,
    id,
  ]);
  return rows.length > 0;
}
