import type { Sql } from '../../database/database.service.ts';
import type { RolloutRow, TargetRow, WaveRow } from './rollout.rows.ts';

/** Of a rollout's row what says whose it is and what it does; the machine does not look at it. */
export interface RolloutHead extends RolloutRow {
  readonly plan_id: string;
  readonly parent_id: string | null;
  readonly hash: Buffer;
  readonly seal: Buffer;
  readonly requested_by: string;
  readonly requested_account: string;
  readonly requested_token: string | null;
  readonly requested_sign_in: string | null;
  readonly reason: string | null;
}

export async function selectHead(sql: Sql, rolloutId: string): Promise<RolloutHead | undefined> {
  const rows = await sql.query<RolloutHead>(
    `SELECT id, state, state_why, options, deadline, wave, memory, started_at, ended_at, plan_id, parent_id, hash, seal, requested_by, requested_account,
            requested_token, requested_sign_in, reason
       FROM rollout WHERE id = $1`,
    [rolloutId],
  );
  return rows[0];
}

export function selectWaves(sql: Sql, rolloutId: string): Promise<WaveRow[]> {
  return sql.query<WaveRow>(
    'SELECT number, size, started_at, done_at, bake_until, ended_at FROM rollout_wave WHERE rollout_id = $1 ORDER BY number',
    [rolloutId],
  );
}

/** In the order of the rollout. */
export function selectTargets(sql: Sql, rolloutId: string): Promise<TargetRow[]> {
  return sql.query<TargetRow>(
    `SELECT host_id, position, wave, class, late, state, wait, outcome, resolved_outcome, code, message, attempts, action_id, not_before, changed, health,
            health_seen, undo_state, undo_outcome, undo_message, undo_attempts, undo_action_id, started_at, ended_at
       FROM rollout_target WHERE rollout_id = $1 ORDER BY position`,
    [rolloutId],
  );
}

/** Columns of a target that a decision changes, as JSON records. */
const RECORD = `host_id uuid, state text, wait text, outcome text, resolved_outcome text, code text, message text, attempts smallint, action_id uuid,
  not_before timestamptz, changed boolean, health jsonb, health_seen boolean, undo_state text, undo_outcome text, undo_message text, undo_attempts smallint,
  undo_action_id uuid, started_at timestamptz, ended_at timestamptz`;
const SET = RECORD.split(',')
  .map((column) => column.trim().split(' ')[0] ?? '')
  .filter((column) => column !== 'host_id')
  .map((column) => `${column} = r.${column}`)
  .join(', ');

/** The caller holds the lease. */
export async function updateTargets(sql: Sql, rolloutId: string, rows: readonly TargetRow[]): Promise<void> {
  if (rows.length === 0) return;
  await sql.query(
    `UPDATE rollout_target t SET ${SET} FROM jsonb_to_recordset($2::jsonb) AS r(${RECORD}) WHERE t.rollout_id = $1 AND t.host_id = r.host_id`,
    [rolloutId, JSON.stringify(rows)],
  );
}

/** The caller holds the lease. */
export async function updateWaves(sql: Sql, rolloutId: string, rows: readonly WaveRow[]): Promise<void> {
  if (rows.length === 0) return;
  await sql.query(
    `UPDATE rollout_wave w SET started_at = r.started_at, done_at = r.done_at, bake_until = r.bake_until, ended_at = r.ended_at
       FROM jsonb_to_recordset($2::jsonb) AS r(number integer, started_at timestamptz, done_at timestamptz, bake_until timestamptz, ended_at timestamptz)
      WHERE w.rollout_id = $1 AND w.number = r.number`,
    [rolloutId, JSON.stringify(rows)],
  );
}

/** The caller holds the lease. @returns the new version. */
export async function updateRollout(sql: Sql, row: Omit<RolloutRow, 'options'>): Promise<number> {
  const rows = await sql.query<{ version: number }>(
    `UPDATE rollout SET state = $2, state_why = $3, wave = $4, memory = $5, started_at = $6, ended_at = $7, deadline = $8,
            version = version + 1
      WHERE id = $1 RETURNING version`,
    [
      row.id,
      row.state,
      row.state_why,
      row.wave,
      JSON.stringify(row.memory),
      row.started_at,
      row.ended_at,
      row.deadline,
    ],
  );
  return rows[0]?.version ?? 0;
}

/** Waits for the dispatches under way of this rollout when it closes; none begins after. */
export async function setGate(sql: Sql, rolloutId: string, open: boolean): Promise<void> {
  await sql.query('UPDATE rollout_gate SET open = $2 WHERE rollout_id = $1 AND open <> $2', [rolloutId, open]);
}

export async function insertNotes(sql: Sql, rolloutId: string, at: Date, texts: readonly string[]): Promise<void> {
  if (texts.length === 0) return;
  await sql.query('INSERT INTO rollout_note (rollout_id, at, text) SELECT $1, $2, unnest($3::text[])', [
    rolloutId,
    at,
    texts,
  ]);
}

export interface AnsweredControl {
  readonly seq: number;
  readonly answer: string;
}

export async function answerControls(sql: Sql, rolloutId: string, answers: readonly AnsweredControl[]): Promise<void> {
  if (answers.length === 0) return;
  await sql.query(
    `UPDATE rollout_control c SET answer = r.answer FROM jsonb_to_recordset($2::jsonb) AS r(seq bigint, answer text) WHERE c.rollout_id = $1 AND c.seq = r.seq`,
    [rolloutId, JSON.stringify(answers)],
  );
}

/** Who said yes: shown, and sealed in the control. */
export async function updateApproved(sql: Sql, rolloutId: string, by: string, seal: Buffer): Promise<void> {
  await sql.query(
    'UPDATE rollout SET approved_by = $2, approved_at = clock_timestamp(), approval_seal = $3 WHERE id = $1',
    [rolloutId, by, seal],
  );
}
