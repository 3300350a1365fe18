import type { HostScope } from '../access/host-scope.ts';
import { scopeCondition } from '../access/host-scope.queries.ts';
import type { Sql } from '../database/database.service.ts';
import { SqlParams } from '../database/sql-params.ts';
import type { AskerColumns } from './engine/rollout-seal.ts';
import type { RolloutOptions, RolloutState } from './engine/rollout.model.ts';

/** A host of a plan, as a rollout takes it. */
export interface PlannedHostRow {
  readonly host_id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly standing: 'would_change' | 'unchanged' | 'refused' | 'unknown';
  readonly code: string;
  readonly message: string;
  readonly class: number | null;
  readonly kernel_release: string;
  readonly hardware: string;
}

export function selectPlannedHosts(sql: Sql, planId: string): Promise<PlannedHostRow[]> {
  return sql.query<PlannedHostRow>(
    `SELECT t.host_id, h.name, h.labels, t.standing, t.code, t.message, t.class, t.kernel_release, t.hardware
       FROM rollout_plan_target t JOIN host h ON h.id = t.host_id WHERE t.plan_id = $1 ORDER BY t.host_id`,
    [planId],
  );
}

/** A host out of scope, of those of a rollout; undefined: there is none. */
export async function selectOutOfScope(
  sql: Sql,
  hostIds: readonly string[],
  scope: HostScope,
): Promise<{ readonly name: string } | undefined> {
  const params = new SqlParams();
  const rows = await sql.query<{ name: string }>(
    `SELECT h.name FROM host h WHERE h.id = ANY (${params.add(hostIds)}::uuid[]) AND NOT ${scopeCondition(scope, params)} ORDER BY h.name LIMIT 1`,
    params.values,
  );
  return rows[0];
}

export interface NewRolloutRow extends AskerColumns {
  readonly id: string;
  readonly plan_id: string;
  readonly parent_id: string | null;
  readonly state: RolloutState;
  readonly options: RolloutOptions;
  readonly hash: Buffer;
  readonly reason: string | null;
  readonly created_at: Date;
  readonly deadline: Date;
}

/** A target as it is stored first. */
export interface NewTargetRow {
  readonly host_id: string;
  readonly position: number;
  readonly wave: number;
  readonly class: number | null;
  readonly late: boolean;
  readonly state: 'pending' | 'ended';
  readonly outcome: 'refused' | null;
  readonly code: string;
  readonly message: string;
}

/** Rows of a rollout that begins, or waits for its approval. Its gate is shut where it waits. */
export async function insertRollout(
  sql: Sql,
  rollout: NewRolloutRow,
  sizes: readonly number[],
  targets: readonly NewTargetRow[],
): Promise<void> {
  const starts = rollout.state === 'running';
  await sql.query(
    `INSERT INTO rollout (id, plan_id, parent_id, state, options, hash, reason, requested_by, requested_account, requested_token, requested_sign_in, seal,
                          created_at, started_at, deadline, memory)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, '{"accepted": {}}')`,
    [
      rollout.id,
      rollout.plan_id,
      rollout.parent_id,
      rollout.state,
      JSON.stringify(rollout.options),
      rollout.hash,
      rollout.reason,
      rollout.requested_by,
      rollout.requested_account,
      rollout.requested_token,
      rollout.requested_sign_in,
      rollout.seal,
      rollout.created_at,
      starts ? rollout.created_at : null,
      rollout.deadline,
    ],
  );
  await sql.query('INSERT INTO rollout_gate (rollout_id, open) VALUES ($1, $2)', [rollout.id, starts]);
  await sql.query(
    `INSERT INTO rollout_wave (rollout_id, number, size) SELECT $1, w.number - 1, w.size FROM unnest($2::int[]) WITH ORDINALITY AS w (size, number)`,
    [rollout.id, sizes],
  );
  await sql.query(
    `INSERT INTO rollout_target (rollout_id, host_id, position, wave, class, late, state, outcome, code, message, changed, ended_at)
     SELECT $1, r.host_id, r.position, r.wave, r.class, r.late, r.state, r.outcome, r.code, r.message,
            CASE WHEN r.state = 'ended' THEN false END, CASE WHEN r.state = 'ended' THEN $3::timestamptz END
       FROM jsonb_to_recordset($2::jsonb) AS r(host_id uuid, position int, wave int, class int, late boolean, state text, outcome text, code text, message text)`,
    [rollout.id, JSON.stringify(targets), rollout.created_at],
  );
}

export async function insertControl(
  sql: Sql,
  rolloutId: string,
  kind: string,
  asker: AskerColumns,
  reason: string | null,
): Promise<number> {
  const rows = await sql.query<{ seq: number }>(
    `INSERT INTO rollout_control (rollout_id, kind, requested_by, requested_account, requested_token, requested_sign_in, seal, reason)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING seq`,
    [
      rolloutId,
      kind,
      asker.requested_by,
      asker.requested_account,
      asker.requested_token,
      asker.requested_sign_in,
      asker.seal,
      reason,
    ],
  );
  return rows[0]?.seq ?? 0;
}

/** Null: not taken yet; '' done. */
export async function selectAnswer(sql: Sql, rolloutId: string, seq: number): Promise<string | null> {
  const rows = await sql.query<{ answer: string | null }>(
    'SELECT answer FROM rollout_control WHERE rollout_id = $1 AND seq = $2',
    [rolloutId, seq],
  );
  return rows[0]?.answer ?? null;
}
