import type { Sql } from '../database/database.service.ts';

/** Hosts that are not retired, counted. */
export interface StandingCounts {
  readonly quarantined: number;
  readonly revoked: number;
  /** Connected, and their certificate ends within `endingWithinS`: they should have renewed it by now. */
  readonly ending: number;
  /** Their certificate has ended: they were away for so long. */
  readonly ended: number;
}

/** One pass over the hosts at each scrape, rather than an index that every renewal would write. */
export async function countStandings(sql: Sql, endingWithinS: number): Promise<StandingCounts> {
  const [row] = await sql.query<StandingCounts>(
    `SELECT count(*) FILTER (WHERE h.quarantined_at IS NOT NULL) AS quarantined,
            count(*) FILTER (WHERE h.revoked_at IS NOT NULL) AS revoked,
            count(*) FILTER (WHERE h.revoked_at IS NULL AND p.live AND h.certificate_not_after > now()
                               AND h.certificate_not_after < now() + make_interval(secs => $1)) AS ending,
            count(*) FILTER (WHERE h.revoked_at IS NULL AND h.certificate_not_after <= now()) AS ended
       FROM host h LEFT JOIN session_presence p ON p.host_id = h.id
      WHERE h.retired_at IS NULL`,
    [endingWithinS],
  );
  if (row === undefined) throw new Error('an aggregate without a row');
  return row;
}
