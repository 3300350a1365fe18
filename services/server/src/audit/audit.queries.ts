import type { Sql } from '../database/database.service.ts';
import type { SealedRow } from './audit.model.ts';

/** Says that a lane has rows, so that the sealer looks there; in the transaction of its first. */
export async function insertLane(sql: Sql, replicaId: string, lane: number): Promise<void> {
  await sql.query('INSERT INTO audit_lane (replica_id, lane) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
    replicaId,
    lane,
  ]);
}

/** Appends rows of one lane, in one statement. */
export async function insertRows(sql: Sql, rows: readonly SealedRow[]): Promise<void> {
  const column = <T>(pick: (row: SealedRow) => T): T[] => rows.map(pick);
  await sql.query(
    `INSERT INTO audit.entry (replica_id, lane, number, at, actor_kind, actor_id, actor_name, via, address, request_id, what, object, kmod, selector,
                              target_count, target_root, host_ids, reason, details, outcome, key_digest, mac)
     SELECT $1, $2, number, to_timestamp(at_ms / 1000.0), actor_kind, actor_id, actor_name, via, address, request_id, what, object, kmod, selector,
            target_count, target_root, host_ids::uuid[], reason, details, outcome, key_digest, mac
       FROM unnest($3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
                   $13::text[], $14::text[], $15::int[], $16::bytea[], $17::text[], $18::text[], $19::text[], $20::text[], $21::bytea[], $22::bytea[])
         AS r (number, at_ms, actor_kind, actor_id, actor_name, via, address, request_id, what, object, kmod, selector, target_count, target_root,
               host_ids, reason, details, outcome, key_digest, mac)`,
    [
      rows[0]?.replicaId,
      rows[0]?.lane,
      column((row) => row.number),
      column((row) => row.atMs),
      column((row) => row.actorKind),
      column((row) => row.actorId),
      column((row) => row.actorName),
      column((row) => row.via),
      column((row) => row.address),
      column((row) => row.requestId),
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
      column((row) => row.keyDigest),
      column((row) => row.mac),
    ],
  );
}
