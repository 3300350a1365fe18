/**
 * Garbage collection of content-addressed sets.
 *
 * INVARIANTS
 * - Runs under the exclusive side of the lock that "is this digest known?" takes (ingest/set.queries.ts): a host that was told "known" has its row
 *   committed before a collector looks, or asks after it has gone.
 * - A set goes only after it was found unreferenced 24 h ago, and again now. Most come back within a day: a host that reboots, a kmod that is
 *   unloaded at night.
 */
import type { Sql } from '../database/database.service.ts';
import { SET_TABLES, type SharedFacet } from '../ingest/set.queries.ts';
import { LOCKED_NARROW } from '../presence/session.queries.ts';
import { Facet, FACET_WORDS, KNOWN_FACETS } from '@modfleet/proto';

/** Sets removed at a time: the lock is held for milliseconds. */
const BATCH = 200;

/** Plans removed at a time: one may have 50,000 targets. */
const PLANS = 10;

/** Tables whose rows belong to a set. */
const PARTS: Readonly<Record<SharedFacet, readonly string[]>> = {
  [Facet.FACET_LOADED]: [],
  [Facet.FACET_AVAILABLE]: ['available_kmod'],
  [Facet.FACET_DEVICES]: ['device_driver'],
  [Facet.FACET_CONFIG]: ['config_block'],
};

/** Notes since when each set of a facet is unreferenced, or that it is referenced again. */
export async function markUnreferenced(sql: Sql, facet: SharedFacet): Promise<void> {
  const table = SET_TABLES[facet];
  await sql.query(
    `UPDATE ${table} s SET unreferenced_since = CASE WHEN s.unreferenced_since IS NULL THEN now() END
      WHERE (s.unreferenced_since IS NULL) <> EXISTS (SELECT 1 FROM host_inventory i WHERE i.${FACET_WORDS[facet]} = s.id)`,
  );
}

/** Removes sets that are unreferenced since 24 h, at most a batch; answers how many. Call it under the exclusive lock, after the mark. */
export async function deleteUnreferenced(sql: Sql, facet: SharedFacet): Promise<number> {
  const rows = await sql.query<{ id: number }>(
    `DELETE FROM ${SET_TABLES[facet]} WHERE id IN (
       SELECT id FROM ${SET_TABLES[facet]} WHERE unreferenced_since < now() - interval '24 hours' LIMIT ${BATCH})
     RETURNING id`,
  );
  for (const table of PARTS[facet])
    await sql.query(`DELETE FROM ${table} WHERE set_id = ANY ($1)`, [rows.map((row) => row.id)]);
  return rows.length;
}

/** What hosts said that were retired more than a day ago; the hosts themselves stay as tombstones. */
export async function forgetRetiredHosts(sql: Sql): Promise<void> {
  const retired = `SELECT id FROM host WHERE retired_at < now() - interval '24 hours'`;
  // Sessions before inventories: the order in which all lock them (migration 0020).
  await sql.query(
    `WITH held AS MATERIALIZED (SELECT host_id FROM host_session WHERE host_id IN (${retired}) ORDER BY host_id FOR UPDATE), ${LOCKED_NARROW}
     DELETE FROM host_session s USING narrow WHERE s.host_id = narrow.host_id`,
  );
  const facets = KNOWN_FACETS.map((facet) => FACET_WORDS[facet]);
  await sql.query(
    `WITH held AS MATERIALIZED (
       SELECT i.host_id FROM host_inventory i
        WHERE i.retired AND num_nonnulls(${facets.map((word) => `i.${word}_observed_at`).join(', ')}) > 0 AND i.host_id IN (${retired})
        ORDER BY i.host_id FOR NO KEY UPDATE)
     UPDATE host_inventory i SET loaded_received_at = NULL, ${facets.map((word) => `${word} = NULL, ${word}_reason = NULL, ${word}_observed_at = NULL`).join(', ')}
       FROM held WHERE i.host_id = held.host_id`,
  );
  await sql.query(`DELETE FROM host_parameters WHERE host_id IN (${retired})`);
}

/** Retires hosts that were silent for so many days; answers their ids. */
export async function retireSilentHosts(sql: Sql, days: number): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    `WITH held AS MATERIALIZED (
       SELECT h.id AS host_id FROM host h
      WHERE h.retired_at IS NULL
        AND greatest(h.enrolled_at, h.last_seen_at) < now() - make_interval(days => $1::int)
        AND NOT EXISTS (SELECT 1 FROM session_presence p
                         WHERE p.host_id = h.id AND (p.live OR p.seen_at >= now() - make_interval(days => $1::int)))
      ORDER BY h.id FOR NO KEY UPDATE OF h), ${LOCKED_NARROW}
     UPDATE host h SET retired_at = now(), retired_by = 'modfleet', retire_reason = 'not seen for ' || $1 || ' days'
       FROM narrow WHERE h.id = narrow.host_id
      RETURNING h.id`,
    [days],
  );
  return rows.map((row) => row.id);
}

/** Answers of changes older than 48 h: a client that retries so late is told nothing false, its key is simply new. */
export async function pruneIdempotencyKeys(sql: Sql): Promise<void> {
  await sql.query(`DELETE FROM idempotency_key WHERE created_at < now() - interval '48 hours'`);
}

/**
 * Certificates of command keys that nothing under way was signed with; answers how many. A certificate signs for a day (signing/command-signer.ts), what it
 * signed lives for a day at most, and is asked about for another after that. 30 days, because clocks of servers part.
 */
export async function deleteUnneededCertificates(sql: Sql): Promise<number> {
  const rows = await sql.query(
    `DELETE FROM command_certificate c WHERE c.used_at < now() - interval '30 days'
        AND NOT EXISTS (SELECT 1 FROM action a WHERE a.command_certificate = c.id AND a.state <> 'ended')
        AND NOT EXISTS (SELECT 1 FROM action a WHERE a.command_certificate = c.id AND a.created_at > now() - interval '7 days')
     RETURNING c.id`,
  );
  return rows.length;
}

/** Plans of which no rollout was created within 30 days, at most a batch; answers how many. Their dry runs stay, as every action does. */
export async function deleteUnusedPlans(sql: Sql): Promise<number> {
  const rows = await sql.query(
    `DELETE FROM rollout_plan WHERE id IN (
       SELECT p.id FROM rollout_plan p
        WHERE p.created_at < now() - interval '30 days' AND NOT EXISTS (SELECT 1 FROM rollout r WHERE r.plan_id = p.id)
        ORDER BY p.created_at LIMIT ${PLANS})
     RETURNING id`,
  );
  return rows.length;
}

/** By which key a join token was used: only a key that asks again with the same token needs it, and the token ended 30 days ago. Its count of uses stays. */
export async function forgetJoinTokenUses(sql: Sql): Promise<void> {
  await sql.query(
    `DELETE FROM join_token_use u USING join_token t
      WHERE t.id = u.token_id AND greatest(t.expires_at, u.used_at) < now() - interval '30 days'`,
  );
}
