import { shareCommands } from '../command-stop/command-stop.queries.ts';
import type { Sql } from '../database/database.service.ts';
import { IN_FLIGHT } from './action.queries.ts';
import type { PendingAction } from './dispatch.rules.ts';

/**
 * Takes the dispatch locks of hosts until the transaction ends: two replicas that both believe to hold a host's session (while it moves from one to the other)
 * decide one after the other, and the second sees what the first sent. In the order of the locks, so that two groups of the same hosts never wait for each other.
 */
export async function lockHostsDispatch(sql: Sql, hostIds: readonly string[]): Promise<void> {
  await sql.query(
    `SELECT pg_advisory_xact_lock(l.key) FROM (
       SELECT DISTINCT hashtextextended('modfleet-dispatch:' || g.host_id, 0) AS key FROM unnest($1::text[]) AS g (host_id) ORDER BY 1) l`,
    [hostIds],
  );
}

/** Those of the hosts for which something is queued. No lock: what is queued later wakes by itself. */
export async function selectQueuedHosts(sql: Sql, hostIds: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await sql.query<{ host_id: string }>(
    `SELECT DISTINCT host_id FROM action WHERE host_id = ANY ($1::uuid[]) AND state <> 'ended' AND state = 'queued'`,
    [hostIds],
  );
  return new Set(rows.map((row) => row.host_id));
}

/** What may be sent now. */
export interface Claimed {
  /** Action by host; their rows are held. */
  readonly ids: ReadonlyMap<string, string>;
  /** Hosts whose next action somebody else had just changed: they have another turn. */
  readonly again: readonly string[];
}

const NOTHING: Claimed = { ids: new Map(), again: [] };

/**
 * The next action of each of the hosts that may be sent now, its row held. All guards of the dispatch stand here, in the transaction that marks the
 * rows: not frozen (the row of fleet_freeze is share-locked, so that a freeze waits for dispatches under way and none begins after it), before
 * its expiry, nothing else in flight on the host, the host neither retired, revoked nor quarantined, its session held by this replica. And commands are not
 * stopped (the row of command_stop is share-locked likewise), and the action's is of this epoch, or of before commands were signed. An action of a rollout: its
 * gate is open, held likewise; behind one that is not, the host's next action has its turn.
 *
 * Five statements, whatever the number of hosts. Rows are held in the order of their ids, then gates in the order of theirs: so does whoever takes back what a
 * rollout has queued.
 *
 * @param readEpoch asked after the lock: no raise comes in between.
 */
export async function claimNext(
  sql: Sql,
  hostIds: readonly string[],
  replicaId: string,
  readEpoch: () => number,
): Promise<Claimed> {
  const thawed = await sql.query('SELECT 1 FROM fleet_freeze WHERE id = 1 AND NOT frozen FOR SHARE');
  if (thawed.length === 0 || !(await shareCommands(sql))) return NOTHING;
  const next = await sql.query<{ host_id: string; id: string }>(
    `SELECT g.host_id, n.id
       FROM unnest($1::uuid[]) AS g (host_id)
       JOIN host h ON h.id = g.host_id AND h.retired_at IS NULL AND h.revoked_at IS NULL AND h.quarantined_at IS NULL
       JOIN host_session s ON s.host_id = g.host_id AND s.replica_id = $2 AND s.disconnected_at IS NULL
      CROSS JOIN LATERAL (
            SELECT a.id FROM action a
             WHERE a.host_id = g.host_id AND a.state <> 'ended' AND a.state = 'queued' AND a.expires_at > clock_timestamp()
               AND (a.epoch = $3 OR a.epoch = 0)
               AND ${GATE_IS_OPEN}
             ORDER BY a.created_at, a.id
             LIMIT 1) n
      WHERE NOT EXISTS (SELECT 1 FROM action o WHERE o.host_id = g.host_id AND o.state <> 'ended' AND o.state IN ${IN_FLIGHT})`,
    [hostIds, replicaId, readEpoch()],
  );
  if (next.length === 0) return NOTHING;
  const held = await sql.query<{ id: string; rollout_id: string | null }>(
    `SELECT id, rollout_id FROM action WHERE id = ANY ($1::uuid[]) AND state = 'queued' AND expires_at > clock_timestamp() ORDER BY id FOR UPDATE`,
    [next.map(({ id }) => id)],
  );
  const open = await shareOpenGates(
    sql,
    held.flatMap(({ rollout_id }) => rollout_id ?? []),
  );
  const rows = new Map(held.map((row) => [row.id, row]));
  const ids = new Map<string, string>();
  const again: string[] = [];
  for (const { host_id, id } of next) {
    const row = rows.get(id);
    if (row !== undefined && (row.rollout_id === null || open.has(row.rollout_id))) ids.set(host_id, id);
    else again.push(host_id);
  }
  return { ids, again };
}

async function shareOpenGates(sql: Sql, rolloutIds: readonly string[]): Promise<ReadonlySet<string>> {
  if (rolloutIds.length === 0) return new Set();
  const rows = await sql.query<{ rollout_id: string }>(
    'SELECT rollout_id FROM rollout_gate WHERE rollout_id = ANY ($1::uuid[]) AND open ORDER BY rollout_id FOR SHARE',
    [[...new Set(rolloutIds)]],
  );
  return new Set(rows.map((row) => row.rollout_id));
}

/** The action is of no rollout, or of one that may send. A dry run for a plan is of none. */
const GATE_IS_OPEN =
  '(a.rollout_id IS NULL OR EXISTS (SELECT 1 FROM rollout_gate g WHERE g.rollout_id = a.rollout_id AND g.open))';

/** OUTCOME_UNCONFIRMED of the contract. */
const UNCONFIRMED = 9;

/**
 * What has to be said to a host that has just connected: what waits, what was sent and did not end, and what was called unconfirmed while the
 * host still remembers it (`askAgainMs` after the expiry). Nothing for a host that is retired, revoked or quarantined, or whose session another replica
 * holds by now, and nothing of an older epoch: that is not sent again.
 */
export async function selectPending(
  sql: Sql,
  hostId: string,
  replicaId: string,
  askAgainMs: number,
  epoch: number,
): Promise<PendingAction[]> {
  return sql.query<PendingAction>(
    `SELECT a.id, a.state = 'queued' AS queued, a.cancel_requested_at IS NOT NULL AS "cancelRequested",
            a.expires_at <= clock_timestamp() AS "pastExpiry", f.frozen OR c.at IS NOT NULL AS frozen
       FROM action a
       JOIN host h ON h.id = a.host_id AND h.retired_at IS NULL AND h.revoked_at IS NULL AND h.quarantined_at IS NULL
       JOIN host_session s ON s.host_id = a.host_id AND s.replica_id = $3 AND s.disconnected_at IS NULL
       JOIN fleet_freeze f ON f.id = 1
       JOIN command_stop c ON c.id = 1
      WHERE a.host_id = $1 AND (a.epoch = $4 OR a.epoch = 0)
        AND (a.state <> 'ended'
             OR (a.outcome = ${UNCONFIRMED} AND a.resolved_outcome IS NULL
                 AND a.expires_at > clock_timestamp() - make_interval(secs => $2::double precision / 1000)))
      ORDER BY a.created_at, a.id`,
    [hostId, askAgainMs, replicaId, epoch],
  );
}

/** A freeze holds, or commands are stopped. */
export async function isHalted(sql: Sql): Promise<boolean> {
  const halted = await sql.query(
    'SELECT 1 FROM fleet_freeze WHERE frozen UNION ALL SELECT 1 FROM command_stop WHERE at IS NOT NULL',
  );
  return halted.length > 0;
}

/** Hosts of this replica that have something to be sent: what a lost wake-up would leave lying. Partial index action_open_idx. */
export async function selectHostsWithWork(sql: Sql, replicaId: string, epoch: number): Promise<string[]> {
  const rows = await sql.query<{ host_id: string }>(
    `SELECT DISTINCT a.host_id
       FROM action a
       JOIN host_session s ON s.host_id = a.host_id AND s.replica_id = $1 AND s.disconnected_at IS NULL
       JOIN host h ON h.id = a.host_id AND h.retired_at IS NULL AND h.revoked_at IS NULL AND h.quarantined_at IS NULL
      WHERE a.state = 'queued' AND a.expires_at > clock_timestamp() AND (a.epoch = $2 OR a.epoch = 0) AND ${GATE_IS_OPEN}
        AND NOT EXISTS (SELECT 1 FROM fleet_freeze f WHERE f.frozen)
        AND NOT EXISTS (SELECT 1 FROM command_stop c WHERE c.at IS NOT NULL)
        AND NOT EXISTS (SELECT 1 FROM action o WHERE o.host_id = a.host_id AND o.state IN ${IN_FLIGHT})`,
    [replicaId, epoch],
  );
  return rows.map((row) => row.host_id);
}

/** The replica that holds the host's session now. */
export async function selectHolder(sql: Sql, hostId: string): Promise<string | undefined> {
  const rows = await sql.query<{ replica_id: string }>(
    'SELECT replica_id FROM session_presence WHERE host_id = $1 AND live',
    [hostId],
  );
  return rows[0]?.replica_id;
}

/** The same of many hosts, by host; those that no replica holds are left out. */
export async function selectHolders(sql: Sql, hostIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const rows = await sql.query<{ host_id: string; replica_id: string }>(
    'SELECT host_id, replica_id FROM session_presence WHERE host_id = ANY ($1::uuid[]) AND live',
    [hostIds],
  );
  return new Map(rows.map((row) => [row.host_id, row.replica_id]));
}
