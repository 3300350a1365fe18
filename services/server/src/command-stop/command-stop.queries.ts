import type { Sql } from '../database/database.service.ts';

export interface CommandStopRow {
  readonly at: Date | null;
  readonly why: 'restored' | 'raising' | null;
  readonly host_id: string | null;
  readonly host_name: string | null;
  readonly host_epoch: number | null;
  readonly host_sequence: number | null;
  readonly host_action_id: string | null;
  readonly known_epoch: number | null;
  readonly known_sequence: number | null;
}

export async function selectCommandStop(sql: Sql): Promise<CommandStopRow | undefined> {
  const rows = await sql.query<CommandStopRow>(
    `SELECT s.at, s.why, s.host_id, h.name AS host_name, s.host_epoch, s.host_sequence, s.host_action_id, s.known_epoch, s.known_sequence
       FROM command_stop s LEFT JOIN host h ON h.id = s.host_id
      WHERE s.id = 1`,
  );
  return rows[0];
}

/**
 * False while commands are stopped. Else nobody stops them, nor raises the epoch, before the transaction ends: what was read of the epoch since
 * is true until then.
 */
export async function shareCommands(sql: Sql): Promise<boolean> {
  return (await sql.query('SELECT 1 FROM command_stop WHERE id = 1 AND at IS NULL FOR SHARE')).length > 0;
}

/** Waits for every acceptance and dispatch under way; none goes on before the transaction ends. */
export async function lockCommands(sql: Sql): Promise<void> {
  await sql.query('SELECT 1 FROM command_stop WHERE id = 1 FOR UPDATE');
}

export interface RestoreProof {
  readonly hostId: string;
  readonly epoch: number;
  readonly sequence: number;
  readonly actionId: string;
  readonly knownEpoch: number;
  readonly knownSequence: number;
}

/** Stops commands, unless they are stopped. The first proof stays; a higher epoch is noted, because the next one has to be above it. True: this one stopped them. */
export async function updateStopped(sql: Sql, proof: RestoreProof): Promise<boolean> {
  await lockCommands(sql);
  const stopped = await sql.query(
    `UPDATE command_stop SET at = clock_timestamp(), why = 'restored', host_id = $1, host_epoch = $2, host_sequence = $3, host_action_id = $4,
            known_epoch = $5, known_sequence = $6
      WHERE id = 1 AND at IS NULL RETURNING 1`,
    [proof.hostId, proof.epoch, proof.sequence, proof.actionId, proof.knownEpoch, proof.knownSequence],
  );
  if (stopped.length > 0) return true;
  await sql.query(
    `UPDATE command_stop SET host_id = $1, host_epoch = $2, host_sequence = $3, host_action_id = $4, known_epoch = $5, known_sequence = $6
      WHERE id = 1 AND why = 'restored' AND host_epoch < $2`,
    [proof.hostId, proof.epoch, proof.sequence, proof.actionId, proof.knownEpoch, proof.knownSequence],
  );
  return false;
}

/** An epoch raise begins; commands are stopped until it has ended. The caller holds the row. */
export async function updateRaising(sql: Sql): Promise<void> {
  await sql.query(
    `UPDATE command_stop SET at = coalesce(at, clock_timestamp()), why = coalesce(why, 'raising') WHERE id = 1`,
  );
}

export async function updateResumed(sql: Sql): Promise<void> {
  await sql.query(
    `UPDATE command_stop SET at = NULL, why = NULL, host_id = NULL, host_epoch = NULL, host_sequence = NULL, host_action_id = NULL, known_epoch = NULL,
            known_sequence = NULL
      WHERE id = 1`,
  );
}

/** The number of the newest command that was accepted for the host; undefined for no host of ours. */
export async function selectCommandSequence(sql: Sql, hostId: string): Promise<number | undefined> {
  const rows = await sql.query<{ sequence: number }>('SELECT command_sequence AS sequence FROM host WHERE id = $1', [
    hostId,
  ]);
  return rows[0]?.sequence;
}

/** Takes the host's next number, and holds its row: commands of one host are numbered in the order in which they are stored. */
export async function takeCommandSequence(sql: Sql, hostId: string): Promise<number> {
  const rows = await sql.query<{ sequence: number }>(
    'UPDATE host SET command_sequence = command_sequence + 1 WHERE id = $1 RETURNING command_sequence AS sequence',
    [hostId],
  );
  if (rows[0] === undefined) throw new Error(`host ${hostId} is gone`);
  return rows[0].sequence;
}

/** A host of which a number was asked for; `sequence` null: it may not be acted on, and no number was taken. */
export interface NumberedHost {
  readonly hostId: string;
  readonly sequence: number | null;
  readonly retired: boolean;
  readonly revoked: boolean;
  readonly quarantined: boolean;
}

/**
 * The next number of each of these hosts that may be acted on. Their rows are held in the order of their ids, as everybody takes several hosts (migration 0020),
 * and are judged as they are then.
 *
 * @returns none for an id that is no host's.
 */
export function takeCommandSequences(sql: Sql, hostIds: readonly string[]): Promise<NumberedHost[]> {
  return sql.query<NumberedHost>(
    `WITH held AS MATERIALIZED (
       SELECT id, retired_at IS NOT NULL AS retired, revoked_at IS NOT NULL AS revoked, quarantined_at IS NOT NULL AS quarantined
         FROM host WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE),
     taken AS (
       UPDATE host h SET command_sequence = h.command_sequence + 1
         FROM held WHERE h.id = held.id AND NOT (held.retired OR held.revoked OR held.quarantined)
       RETURNING h.id, h.command_sequence)
     SELECT held.id AS "hostId", taken.command_sequence AS sequence, held.retired, held.revoked, held.quarantined
       FROM held LEFT JOIN taken ON taken.id = held.id`,
    [hostIds],
  );
}

/** The action that has this number of this host. */
export async function selectActionOfNumber(
  sql: Sql,
  hostId: string,
  { epoch, sequence }: { readonly epoch: number; readonly sequence: number },
): Promise<string | undefined> {
  const rows = await sql.query<{ id: string }>(
    'SELECT id FROM action WHERE host_id = $1 AND epoch = $2 AND sequence = $3 LIMIT 1',
    [hostId, epoch, sequence],
  );
  return rows[0]?.id;
}

/** Actions of epochs before this one that have not ended, oldest first, by epoch and state. */
export async function countOlderOpen(
  sql: Sql,
  epoch: number,
): Promise<{ epoch: number; state: string; count: number }[]> {
  return sql.query(
    `SELECT epoch, state, count(*)::int AS count FROM action WHERE state <> 'ended' AND epoch < $1 GROUP BY epoch, state ORDER BY epoch, state`,
    [epoch],
  );
}

/** Ids of such actions, but for some. Partial index action_open_idx. */
export async function selectOlderOpen(
  sql: Sql,
  epoch: number,
  { limit, except }: { readonly limit: number; readonly except: readonly string[] },
): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    `SELECT id FROM action WHERE state <> 'ended' AND epoch < $1 AND id <> ALL ($3::uuid[]) ORDER BY created_at LIMIT $2`,
    [epoch, limit, except],
  );
  return rows.map(({ id }) => id);
}
