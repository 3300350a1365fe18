/**
 * Coverage from SQL alone: the view `host_standing` (migration 0020) has one row for each host, and for each FACET (loaded, parameters, available, devices,
 * config) the columns
 *
 *   FACET (number of the set; of parameters the digest), FACET_coverage ('fresh' | 'stale' | 'silent' | 'incapable'), FACET_reason, FACET_observed_at
 *
 * Read it in the REPEATABLE READ transaction that reads the rows and counts, and everything shares one now(). The view `facet_coverage` says the same of hosts
 * that are not retired, a row a facet: for all facets of some hosts. Rejected for questions to the whole fleet: five rows a host to sort out again.
 *
 * Idle hosts cost no writes, yet `fresh` must end by itself: the replica that holds the session *vouches* for a facet (a bit in
 * host_session.vouched) from the moment its stored digest was confirmed in this session, until the host's heartbeats stop saying that it was
 * observed within two intervals. Written on change only. A replica that dies takes all its vouching along: its beat is older than 10 s.
 * Rejected: observed_at of every host every few seconds (10,000 hosts of 5 facets: 50,000 row versions in each interval for nothing new).
 */
import type { Sql } from '../database/database.service.ts';

export type Coverage = 'fresh' | 'stale' | 'silent' | 'incapable';

export interface CoverageCounts {
  readonly total: number;
  readonly fresh: number;
  readonly stale: number;
  readonly silent: number;
  readonly incapable: number;
}

/** Columns that count a `coverage` column, to be put in a SELECT list: total, fresh, stale, silent, incapable. */
export const COVERAGE_COUNT_COLUMNS = `count(*) AS total,
  count(*) FILTER (WHERE coverage = 'fresh') AS fresh,
  count(*) FILTER (WHERE coverage = 'stale') AS stale,
  count(*) FILTER (WHERE coverage = 'silent') AS silent,
  count(*) FILTER (WHERE coverage = 'incapable') AS incapable`;

/** The same of rows that stand for `n` hosts. */
export const SUMMED_COVERAGE_COLUMNS = `coalesce(sum(n), 0)::bigint AS total,
  coalesce(sum(n) FILTER (WHERE coverage = 'fresh'), 0)::bigint AS fresh,
  coalesce(sum(n) FILTER (WHERE coverage = 'stale'), 0)::bigint AS stale,
  coalesce(sum(n) FILTER (WHERE coverage = 'silent'), 0)::bigint AS silent,
  coalesce(sum(n) FILTER (WHERE coverage = 'incapable'), 0)::bigint AS incapable`;

/** Coverage of one facet over some hosts (null: all that are not retired), with Postgres's time. */
export async function countCoverage(
  sql: Sql,
  facet: number,
  hostIds: readonly string[] | null,
): Promise<CoverageCounts & { readonly asOf: Date }> {
  const [row] = await sql.query<CoverageCounts & { asOf: Date }>(
    `SELECT ${COVERAGE_COUNT_COLUMNS}, now() AS "asOf" FROM facet_coverage WHERE facet = $1 AND ($2::uuid[] IS NULL OR host_id = ANY ($2))`,
    [facet, hostIds],
  );
  if (row === undefined) throw new Error('an aggregate without a row');
  return row;
}

export interface FacetCoverageRow {
  readonly hostId: string;
  readonly facet: number;
  readonly digest: Buffer | null;
  /** Null also for parameters, of which there are no sets. */
  readonly setId: number | null;
  readonly coverage: Coverage;
  /** Why it is not fresh; null when it is. */
  readonly reason: string | null;
  /** When it was last observed to hold, at the latest; null when never. */
  readonly observedAt: Date | null;
}

/** All five facets of some hosts, by host and facet. */
export function facetsOf(sql: Sql, hostIds: readonly string[]): Promise<FacetCoverageRow[]> {
  return sql.query<FacetCoverageRow>(
    `SELECT host_id AS "hostId", facet, digest, set_id AS "setId", coverage, reason, observed_at AS "observedAt"
       FROM facet_coverage WHERE host_id = ANY ($1::uuid[]) ORDER BY host_id, facet`,
    [hostIds],
  );
}
