import type { Sql } from '../database/database.service.ts';
import { LOCKED_NARROW } from './session.queries.ts';

export interface ReplicaRow {
  readonly id: string;
  readonly name: string;
  readonly loadedWindowMs: number;
  readonly facetWindowMs: number;
  /** What its wake-ups go over. */
  readonly bus: string;
}

/** Which set of CAs a replica works with. */
export interface ReplicaCaSet {
  readonly generation: number;
  readonly phase: string;
}

/**
 * Says that this replica lives, by which CAs, and how many hosts it holds; answers Postgres's time, ms since the epoch.
 *
 * @param sessions null: it takes no hosts yet.
 */
export async function beat(sql: Sql, replica: ReplicaRow, ca: ReplicaCaSet, sessions: number | null): Promise<number> {
  // Rejected: INSERT … ON CONFLICT alone, which takes a number of the sequence at each beat.
  const [row] = await sql.query<{ now: number }>(
    `WITH beaten AS (UPDATE replica SET beat_at = now(), ca_generation = $5, ca_phase = $6, sessions = $7 WHERE id = $1 RETURNING id),
      come AS (
        INSERT INTO replica (id, name, loaded_window_ms, facet_window_ms, ca_generation, ca_phase, sessions, bus)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE NOT EXISTS (SELECT FROM beaten))
     SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now`,
    [
      replica.id,
      replica.name,
      replica.loadedWindowMs,
      replica.facetWindowMs,
      ca.generation,
      ca.phase,
      sessions,
      replica.bus,
    ],
  );
  return row?.now ?? Date.now();
}

/** A replica that lives: it beat within 10 s. */
export interface LivingReplica {
  readonly id: string;
  readonly name: string;
  /** Null: it takes no hosts (yet). */
  readonly sessions: number | null;
  readonly upMs: number;
  readonly bus: string;
}

export async function livingReplicas(sql: Sql): Promise<LivingReplica[]> {
  return sql.query<LivingReplica>(
    `SELECT id, name, sessions, (extract(epoch FROM now() - started_at) * 1000)::float8 AS "upMs", bus
       FROM replica WHERE beat_at > now() - interval '10 seconds' ORDER BY id`,
  );
}

/** Ends what a replica still holds, at its graceful end, and the replica: nobody waits for it any more. */
export async function endReplica(sql: Sql, replicaId: string): Promise<void> {
  await sql.query(
    `WITH held AS MATERIALIZED (SELECT host_id FROM host_session WHERE replica_id = $1 AND disconnected_at IS NULL ORDER BY host_id FOR NO KEY UPDATE),
      ${LOCKED_NARROW},
      ended AS (UPDATE host_session s SET disconnected_at = now(), vouched = 0 FROM narrow WHERE s.host_id = narrow.host_id)
     DELETE FROM replica WHERE id = $1`,
    [replicaId],
  );
}

/**
 * Ends the sessions of replicas that died, with the last beat as their end, so that "last seen" stays true after the replica's row is gone; then
 * removes those rows. A replica that only lost the database for a while comes back with its row: an hour is far beyond any such while.
 */
export async function buryDeadReplicas(sql: Sql): Promise<void> {
  await sql.query(
    `WITH dead AS (DELETE FROM replica WHERE beat_at < now() - interval '1 hour' RETURNING id, beat_at),
      held AS MATERIALIZED (SELECT s.host_id, s.session_no, dead.beat_at FROM host_session s JOIN dead ON dead.id = s.replica_id
                WHERE s.disconnected_at IS NULL ORDER BY s.host_id FOR NO KEY UPDATE OF s),
      ${LOCKED_NARROW}
     UPDATE host_session s SET disconnected_at = greatest(s.connected_at, held.beat_at), vouched = 0
       FROM held JOIN narrow USING (host_id) WHERE s.host_id = held.host_id AND s.session_no = held.session_no`,
  );
}
