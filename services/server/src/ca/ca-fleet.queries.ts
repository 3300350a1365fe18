import type { Sql } from '../database/database.service.ts';
import type { CaStep } from './ca-set.machine.ts';
import type { CaPhase } from './ca-set.ts';

/** The two CAs of a rotation (ids, hex); between rotations both are the one. */
export interface CaPair {
  readonly current: string;
  readonly next: string;
}

export interface HostTrustCounts {
  readonly hosts: number;
  /** Trust both, only the next, only the current, or neither; of the agents that say what they trust. */
  readonly both: number;
  readonly nextOnly: number;
  readonly currentOnly: number;
  readonly neither: number;
  /** Of the hosts that say what they trust: another CA, too. */
  readonly alsoOther: number;
  /** Agents that say nothing of it: never connected, or older than rotations. */
  readonly unheard: number;
  /** By the next CA; of the certificates with which hosts were seen last. */
  readonly certificatesByNext: number;
  readonly certificatesByCurrent: number;
  readonly certificatesByOther: number;
}

export interface LeftBehindHost {
  readonly id: string;
  readonly name: string;
  readonly live: boolean;
  readonly seenAt: Date | null;
}

export interface ReplicaStanding {
  readonly name: string;
  readonly generation: number;
  readonly phase: string;
}

const HEARD = 'h.trust_generation > 0';
const TRUSTS_CURRENT = '$1 = ANY(h.trusted_cas)';
const TRUSTS_NEXT = '$2 = ANY(h.trusted_cas)';

/** Of the hosts that are not retired. */
export async function countHostTrust(sql: Sql, { current, next }: CaPair): Promise<HostTrustCounts> {
  const [row] = await sql.query<HostTrustCounts>(
    `SELECT count(*)::int AS hosts,
            count(*) FILTER (WHERE ${HEARD} AND ${TRUSTS_CURRENT} AND ${TRUSTS_NEXT})::int AS both,
            count(*) FILTER (WHERE ${HEARD} AND NOT ${TRUSTS_CURRENT} AND ${TRUSTS_NEXT})::int AS "nextOnly",
            count(*) FILTER (WHERE ${HEARD} AND ${TRUSTS_CURRENT} AND NOT ${TRUSTS_NEXT})::int AS "currentOnly",
            count(*) FILTER (WHERE ${HEARD} AND NOT ${TRUSTS_CURRENT} AND NOT ${TRUSTS_NEXT})::int AS neither,
            count(*) FILTER (WHERE ${HEARD} AND EXISTS (SELECT 1 FROM unnest(h.trusted_cas) AS ca WHERE ca NOT IN ($1, $2)))::int AS "alsoOther",
            count(*) FILTER (WHERE NOT ${HEARD})::int AS unheard,
            count(*) FILTER (WHERE h.certificate_ca = $2)::int AS "certificatesByNext",
            count(*) FILTER (WHERE h.certificate_ca = $1 AND $1::text <> $2::text)::int AS "certificatesByCurrent",
            count(*) FILTER (WHERE h.certificate_ca NOT IN ('', $1, $2))::int AS "certificatesByOther"
       FROM host h WHERE h.retired_at IS NULL`,
    [current, next],
  );
  if (row === undefined) throw new Error('an aggregate without a row');
  return row;
}

const NOBODY = 'false AND $1::text = $2::text';

/**
 * The hosts that a step would leave behind: that cannot connect after it, until they have found their way by themselves (docs/operations.md), if ever.
 * Those that sleep through `issue` do not count there: what vouches for the new CA leads them to it.
 */
const LEFT_BEHIND = {
  single: { begin: NOBODY, issue: NOBODY, finish: NOBODY, back: NOBODY },
  trust_both: {
    begin: NOBODY,
    issue: `(NOT ${HEARD} OR (p.live AND NOT ${TRUSTS_NEXT})) AND $1::text <> $2::text`,
    finish: NOBODY,
    back: `h.certificate_ca = $2 OR (${HEARD} AND NOT ${TRUSTS_CURRENT})`,
  },
  issue_new: {
    begin: NOBODY,
    issue: NOBODY,
    finish: `(NOT ${HEARD} OR NOT ${TRUSTS_NEXT} OR h.certificate_ca <> $2) AND $1::text <> $2::text`,
    back: `${HEARD} AND NOT ${TRUSTS_CURRENT} AND $1::text <> $2::text`,
  },
} as const satisfies Record<CaPhase, Record<CaStep, string>>;

/** Those that are connected first. At most `limit` of them are named. */
export async function hostsLeftBehind(
  sql: Sql,
  pair: CaPair,
  phase: CaPhase,
  step: CaStep,
  limit: number,
): Promise<{ readonly count: number; readonly hosts: readonly LeftBehindHost[] }> {
  const rows = await sql.query<LeftBehindHost & { count: number }>(
    `SELECT h.id, h.name, coalesce(p.live, false) AS live, greatest(p.seen_at, h.last_seen_at) AS "seenAt", count(*) OVER ()::int AS count
       FROM host h LEFT JOIN session_presence p ON p.host_id = h.id
      WHERE h.retired_at IS NULL AND (${LEFT_BEHIND[phase][step]})
      ORDER BY coalesce(p.live, false) DESC, h.name, h.id LIMIT $3`,
    [pair.current, pair.next, limit],
  );
  return { count: rows[0]?.count ?? 0, hosts: rows };
}

/** The newest set of CAs that any host was told of. */
export async function newestGenerationOfHosts(sql: Sql): Promise<number> {
  const [row] = await sql.query<{ newest: number }>(
    'SELECT coalesce(max(trust_generation), 0)::float8 AS newest FROM host WHERE retired_at IS NULL',
  );
  return row?.newest ?? 0;
}

/** Server processes that beat within 10 s. */
export function liveReplicas(sql: Sql): Promise<ReplicaStanding[]> {
  return sql.query<ReplicaStanding>(
    `SELECT name, ca_generation::float8 AS generation, ca_phase AS phase FROM replica WHERE beat_at > now() - interval '10 seconds' ORDER BY name, id`,
  );
}

/** One step at a time, whatever machine it is run on. Held until the transaction ends. */
export async function lockRotation(sql: Sql): Promise<void> {
  await sql.query(`SELECT pg_advisory_xact_lock(hashtext('modfleet ca rotation'))`);
}
