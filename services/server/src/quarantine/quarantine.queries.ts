import type { Sql } from '../database/database.service.ts';

/** A machine that showed the identity of a host. */
export interface Sighting {
  readonly bootId: string;
  /** `address:port`, as the peer of a connection. */
  readonly peer: string;
  /** Counter of the certificate that it showed. */
  readonly counter: number;
  readonly how: 'session' | 'renewal';
}

/** A machine that was seen with a quarantined host's identity, as kept. */
export interface SightingRow {
  readonly bootId: string;
  readonly address: string;
  readonly firstSeen: Date;
  readonly lastSeen: Date;
  readonly counter: number;
  readonly how: 'session' | 'renewal';
}

/** Machines remembered a host: two are a clone, and an image that boots everywhere must not fill the table. */
const SIGHTINGS_MAX = 50;

/**
 * From now on the host only reports, and both machines are on record: the one that was last heard of, with the time of that, and the newcomer. The first
 * reason stays. The caller holds the lock of the host's row.
 *
 * `counter`: of the certificate that was used last.
 *
 * @returns whether the host was not in quarantine before.
 */
export async function quarantineClones(
  sql: Sql,
  { id: hostId, counter }: { readonly id: string; readonly counter: number },
  reason: string,
  newcomer: Sighting,
): Promise<boolean> {
  await sql.query(
    `INSERT INTO host_sighting (host_id, boot_id, address, first_seen, last_seen, counter, how)
     SELECT h.id, coalesce(nullif(p.boot_id, ''), h.last_boot_id, ''), ${plainAddress(`coalesce(nullif(p.address, ''), h.last_address)`)},
            coalesce(p.connected_at, h.last_seen_at), greatest(p.seen_at, h.last_seen_at), $2, 'session'
       FROM host h LEFT JOIN session_presence p ON p.host_id = h.id
      WHERE h.id = $1 AND coalesce(nullif(p.address, ''), h.last_address) IS NOT NULL
     ON CONFLICT (host_id, boot_id, address) DO UPDATE SET last_seen = greatest(host_sighting.last_seen, excluded.last_seen)`,
    [hostId, counter],
  );
  await recordSighting(sql, hostId, newcomer);
  const rows = await sql.query(
    `UPDATE host SET quarantined_at = now(), quarantine_reason = $2 WHERE id = $1 AND quarantined_at IS NULL RETURNING id`,
    [hostId, reason],
  );
  return rows.length > 0;
}

/** Keeps that a machine was seen with a quarantined host's identity. */
export async function recordSighting(
  sql: Sql,
  hostId: string,
  { bootId, peer, counter, how }: Sighting,
): Promise<void> {
  await sql.query(
    `INSERT INTO host_sighting (host_id, boot_id, address, counter, how)
     SELECT $1, $2, ${plainAddress('$3::text')}, $4, $5
      WHERE (SELECT count(*) FROM host_sighting WHERE host_id = $1) < ${SIGHTINGS_MAX}
         OR EXISTS (SELECT 1 FROM host_sighting WHERE host_id = $1 AND boot_id = $2 AND address = ${plainAddress('$3::text')})
     ON CONFLICT (host_id, boot_id, address) DO UPDATE SET last_seen = now(), counter = excluded.counter, how = excluded.how`,
    [hostId, bootId, peer, counter, how],
  );
}

/** Oldest first. */
export function sightingsOf(sql: Sql, hostId: string): Promise<SightingRow[]> {
  return sql.query<SightingRow>(
    `SELECT boot_id AS "bootId", address, first_seen AS "firstSeen", last_seen AS "lastSeen", counter, how
       FROM host_sighting WHERE host_id = $1 ORDER BY first_seen, boot_id, address`,
    [hostId],
  );
}

/** Without the port, which is another one for each connection. */
function plainAddress(expression: string): string {
  return `regexp_replace(${expression}, ':[0-9]+$', '')`;
}
