import type { Sql } from '../database/database.service.ts';

/** A rollout that has not ended and wants the opposite on some of the hosts. */
export interface ConflictRow {
  readonly rolloutId: string;
  readonly verb: number;
  readonly kmod: string;
  /** Hosts that both are about. */
  readonly shared: number;
}

/** One rollout at a time is made for a kmod: of two with opposite intent one sees the other. Until the transaction ends. */
export async function lockRolloutsOfKmod(sql: Sql, kmod: string): Promise<void> {
  await sql.query(`SELECT pg_advisory_xact_lock(hashtextextended('modfleet-rollouts:' || $1, 0))`, [kmod]);
}

/** The oldest such rollout. Partial index rollout_open_idx: there are few. @param verbs numbers of the verbs that pull the other way. */
export async function selectConflict(
  sql: Sql,
  kmod: string,
  verbs: readonly number[],
  hostIds: readonly string[],
): Promise<ConflictRow | undefined> {
  const rows = await sql.query<ConflictRow>(
    `SELECT r.id AS "rolloutId", p.verb, p.kmod, count(*)::int AS shared
       FROM rollout r
       JOIN rollout_plan p ON p.id = r.plan_id AND p.kmod = $1 AND p.verb = ANY ($2::smallint[])
       JOIN rollout_target t ON t.rollout_id = r.id
       JOIN unnest($3::uuid[]) AS g (host_id) ON g.host_id = t.host_id
      WHERE r.ended_at IS NULL
      GROUP BY r.id, r.created_at, p.verb, p.kmod
      ORDER BY r.created_at, r.id
      LIMIT 1`,
    [kmod, verbs, hostIds],
  );
  return rows[0];
}
