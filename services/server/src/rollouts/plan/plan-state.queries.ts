import type { Sql } from '../../database/database.service.ts';
import type { PlanGroups } from './plan.model.ts';

export interface InsertedPlan {
  readonly id: string;
  readonly verb: number;
  readonly kmod: string;
  readonly parameters: readonly string[];
  readonly confirmWindowSeconds: number;
  readonly overrides: readonly string[];
  readonly selector: string | null;
  readonly reason: string | null;
  readonly requestedBy: string;
  readonly createdAt: Date;
  readonly answersUntil: Date;
  readonly expiresAt: Date;
  readonly unknownHosts: readonly string[];
}

export async function insertPlan(sql: Sql, plan: InsertedPlan): Promise<void> {
  await sql.query(
    `INSERT INTO rollout_plan (id, verb, kmod, parameters, confirm_window_s, overrides, selector, reason, requested_by, created_at, answers_until, expires_at,
                               unknown_hosts)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    [
      plan.id,
      plan.verb,
      plan.kmod,
      plan.parameters,
      plan.confirmWindowSeconds,
      plan.overrides,
      plan.selector,
      plan.reason,
      plan.requestedBy,
      plan.createdAt,
      plan.answersUntil,
      plan.expiresAt,
      plan.unknownHosts,
    ],
  );
}

/**
 * Plans whose time for answers is over, or of which no dry run is under way any more. Partial indexes rollout_plan_asking_idx and action_plan_open_idx: a look is
 * one step into each when nobody asks.
 */
export async function selectDuePlans(sql: Sql, limit: number): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    `SELECT p.id FROM rollout_plan p
      WHERE p.state = 'asking'
        AND (p.answers_until <= clock_timestamp()
             OR NOT EXISTS (SELECT 1 FROM action a WHERE a.plan_id = p.id AND a.state <> 'ended'))
      ORDER BY p.answers_until LIMIT $1`,
    [limit],
  );
  return rows.map(({ id }) => id);
}

/** Holds a plan that is asking until the transaction ends. False: it is not, or somebody else is at it. */
export async function tryLockAsking(sql: Sql, id: string): Promise<boolean> {
  const rows = await sql.query(
    `SELECT 1 FROM rollout_plan WHERE id = $1 AND state = 'asking' FOR NO KEY UPDATE SKIP LOCKED`,
    [id],
  );
  return rows.length > 0;
}

/** @param lifeSeconds how long rollouts may be created from it. @throws Error when it was not asking. */
export async function updateReady(
  sql: Sql,
  id: string,
  hash: Buffer,
  { classes, refusals, unknowns }: PlanGroups,
  lifeSeconds: number,
): Promise<void> {
  const rows = await sql.query(
    `UPDATE rollout_plan SET state = 'ready', hash = $2, classes = $3::jsonb, refusals = $4::jsonb, unknowns = $5::jsonb,
            ready_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => $6)
      WHERE id = $1 AND state = 'asking' RETURNING 1`,
    [id, hash, JSON.stringify(classes), JSON.stringify(refusals), JSON.stringify(unknowns), lifeSeconds],
  );
  if (rows.length === 0) throw new Error(`the plan ${id} was settled twice`);
}
