import type { Sql } from '../../database/database.service.ts';

/** One watcher's hold on one rollout: every write carries the term. */
export interface Lease {
  readonly rolloutId: string;
  readonly owner: string;
  readonly term: number;
  /** A watcher that does not renew it for this long has lost it. */
  readonly seconds: number;
}

/** There is something to do: it has not ended, or somebody asks something of it. */
const WORK = `(r.ended_at IS NULL OR EXISTS (SELECT 1 FROM rollout_control c WHERE c.rollout_id = r.id AND c.answer IS NULL))`;

/** Takes rollouts that nobody watches, each with a new term. */
export async function takeLeases(sql: Sql, owner: string, seconds: number, limit: number): Promise<Lease[]> {
  const rows = await sql.query<{ id: string; lease_term: number }>(
    `UPDATE rollout SET lease_owner = $1, lease_term = lease_term + 1, lease_expires_at = clock_timestamp() + make_interval(secs => $3)
      WHERE id IN (SELECT r.id FROM rollout r WHERE r.lease_expires_at < clock_timestamp() AND ${WORK} ORDER BY r.id LIMIT $2 FOR UPDATE SKIP LOCKED)
      RETURNING id, lease_term`,
    [owner, limit, seconds],
  );
  return rows.map((row) => ({ rolloutId: row.id, owner, term: row.lease_term, seconds }));
}

/**
 * Holds the rollout's row until the transaction ends, and renews the lease. False: it is another's by now, and nothing may be written.
 */
export async function holdLease(sql: Sql, { rolloutId, owner, term, seconds }: Lease): Promise<boolean> {
  const held = await sql.query(
    `UPDATE rollout SET lease_expires_at = clock_timestamp() + make_interval(secs => $4)
      WHERE id = $1 AND lease_owner = $2 AND lease_term = $3 AND lease_expires_at > clock_timestamp() RETURNING 1`,
    [rolloutId, owner, term, seconds],
  );
  return held.length > 0;
}

/** The next watcher need not wait. Nothing where it is another's by now. */
export async function giveUpLease(sql: Sql, { rolloutId, owner, term }: Lease): Promise<void> {
  await sql.query(
    `UPDATE rollout SET lease_expires_at = '-infinity' WHERE id = $1 AND lease_owner = $2 AND lease_term = $3`,
    [rolloutId, owner, term],
  );
}
