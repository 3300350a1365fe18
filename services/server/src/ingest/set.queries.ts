/** One function a statement: content-addressed sets. Every insert is `ON CONFLICT DO NOTHING`: equal digests have equal content. */
import { Facet, type KnownFacet } from '@modfleet/proto';
import type { Sql } from '../database/database.service.ts';

/** The table that holds a facet's sets; parameters are per host. */
export const SET_TABLES = {
  [Facet.FACET_LOADED]: 'loaded_set',
  [Facet.FACET_AVAILABLE]: 'available_set',
  [Facet.FACET_DEVICES]: 'device_set',
  [Facet.FACET_CONFIG]: 'config_set',
} as const;

/** A facet whose content is shared by all hosts that have it. */
export type SharedFacet = keyof typeof SET_TABLES;

export function isShared(facet: KnownFacet): facet is SharedFacet {
  return Object.hasOwn(SET_TABLES, facet);
}

/**
 * Held shared while "is this digest stored?" is asked and used, exclusively while garbage is collected (retention/): a set that somebody was told
 * is known cannot vanish before the row that refers to it is committed. The number: "sets" in ASCII.
 */
export const KNOWN_SETS_LOCK = 0x73657473;

export async function lockKnownSets(sql: Sql, mode: 'shared' | 'exclusive'): Promise<void> {
  await sql.query(`SELECT pg_advisory_xact_lock${mode === 'shared' ? '_shared' : ''}(${KNOWN_SETS_LOCK})`);
}

/** This transaction's id, by which {@link transactionStatus} can be asked later. */
export async function transactionId(sql: Sql): Promise<string> {
  const [row] = await sql.query<{ xid: string }>('SELECT pg_current_xact_id()::text AS xid');
  return row?.xid ?? '';
}

/** What became of a transaction whose COMMIT was not answered; null when Postgres no longer knows. */
export async function transactionStatus(
  sql: Sql,
  xid: string,
): Promise<'committed' | 'aborted' | 'in progress' | null> {
  const [row] = await sql.query<{ status: 'committed' | 'aborted' | 'in progress' | null }>(
    'SELECT pg_xact_status($1::xid8) AS status',
    [xid],
  );
  return row?.status ?? null;
}

/** Which of these digests (hex) are stored. */
export async function knownDigests(sql: Sql, facet: SharedFacet, hexes: readonly string[]): Promise<string[]> {
  const rows = await sql.query<{ hex: string }>(
    `SELECT encode(digest, 'hex') AS hex FROM ${SET_TABLES[facet]} WHERE digest = ANY (SELECT decode(unnest($1::text[]), 'hex'))`,
    [hexes],
  );
  return rows.map((row) => row.hex);
}

/** Which of these hosts have these parameters stored (pairs, hex). */
export async function knownParameters(
  sql: Sql,
  hostIds: readonly string[],
  hexes: readonly string[],
): Promise<{ hostId: string; hex: string }[]> {
  return sql.query(
    `SELECT p.host_id AS "hostId", encode(p.digest, 'hex') AS hex FROM host_parameters p
       JOIN unnest($1::uuid[], $2::text[]) AS v (host_id, hex) ON v.host_id = p.host_id AND decode(v.hex, 'hex') = p.digest`,
    [hostIds, hexes],
  );
}

export async function insertLoadedSet(
  sql: Sql,
  hex: string,
  kmodIds: readonly number[],
  value: Uint8Array,
  entries: string,
): Promise<void> {
  await sql.query(
    `INSERT INTO loaded_set (digest, kmod_ids, value, entries) VALUES (decode($1, 'hex'), $2, $3, $4) ON CONFLICT DO NOTHING`,
    [hex, kmodIds, value, entries],
  );
}

export async function insertAvailableSet(
  sql: Sql,
  hex: string,
  kernelRelease: string,
  contentDigest: Uint8Array,
  kmodCount: number,
): Promise<boolean> {
  const rows = await sql.query(
    `INSERT INTO available_set (digest, kernel_release, content_digest, kmod_count) VALUES (decode($1, 'hex'), $2, $3, $4)
     ON CONFLICT DO NOTHING RETURNING 1`,
    [hex, kernelRelease, contentDigest, kmodCount],
  );
  return rows.length > 0;
}

/** `kmods`: JSON array of objects with the columns below. */
export async function insertAvailableKmods(sql: Sql, hex: string, kmods: string): Promise<void> {
  await sql.query(
    `INSERT INTO available_kmod (set_digest, kmod_id, path, builtin, version, srcversion, license, signer, description, depends, aliases,
                                 softdeps_pre, softdeps_post, build_id)
     SELECT decode($1, 'hex'), r.kmod_id, r.path, r.builtin, r.version, r.srcversion, r.license, r.signer, r.description, r.depends, r.aliases,
            r.softdeps_pre, r.softdeps_post, r.build_id
       FROM jsonb_to_recordset($2::jsonb) AS r (kmod_id int, path text, builtin boolean, version text, srcversion text, license text, signer text,
            description text, depends text[], aliases text[], softdeps_pre text[], softdeps_post text[], build_id text)`,
    [hex, kmods],
  );
}

/** Sorted input, so that two replicas never wait for each other in a circle. */
export async function insertAliases(
  sql: Sql,
  patterns: readonly string[],
  kmodIds: readonly number[],
  prefixes: readonly string[],
): Promise<void> {
  await sql.query(
    `INSERT INTO kmod_alias (pattern, kmod_id, prefix) SELECT * FROM unnest($1::text[], $2::int[], $3::text[]) ON CONFLICT DO NOTHING`,
    [patterns, kmodIds, prefixes],
  );
}

export async function insertDeviceSet(sql: Sql, hex: string, value: Uint8Array): Promise<boolean> {
  const rows = await sql.query(
    `INSERT INTO device_set (digest, value) VALUES (decode($1, 'hex'), $2) ON CONFLICT DO NOTHING RETURNING 1`,
    [hex, value],
  );
  return rows.length > 0;
}

/** `devices`: JSON array of objects with the columns below. */
export async function insertDevices(sql: Sql, hex: string, devices: string): Promise<void> {
  await sql.query(
    `INSERT INTO device_driver (set_digest, bus, address, driver, kmod_id, builtin, modalias, names)
     SELECT decode($1, 'hex'), r.bus, r.address, r.driver, r.kmod_id, r.builtin, r.modalias, r.names
       FROM jsonb_to_recordset($2::jsonb) AS r (bus text, address text, driver text, kmod_id int, builtin boolean, modalias text, names text[])`,
    [hex, devices],
  );
}

export async function insertConfigSet(sql: Sql, hex: string, value: Uint8Array, summary: string): Promise<boolean> {
  const rows = await sql.query(
    `INSERT INTO config_set (digest, value, summary) VALUES (decode($1, 'hex'), $2, $3) ON CONFLICT DO NOTHING RETURNING 1`,
    [hex, value, summary],
  );
  return rows.length > 0;
}

/** `blocks`: JSON array of objects with the columns below. */
export async function insertBlocks(sql: Sql, hex: string, blocks: string): Promise<void> {
  await sql.query(
    `INSERT INTO config_block (set_digest, seq, kmod_id, rung, file, line, detail)
     SELECT decode($1, 'hex'), r.seq, r.kmod_id, r.rung, r.file, r.line, r.detail
       FROM jsonb_to_recordset($2::jsonb) AS r (seq int, kmod_id int, rung smallint, file text, line int, detail text)`,
    [hex, blocks],
  );
}

/** Whole parameters of hosts; the newest wins. */
export async function upsertParameters(sql: Sql, hostId: string, hex: string, value: Uint8Array): Promise<void> {
  await sql.query(
    `INSERT INTO host_parameters (host_id, digest, value) VALUES ($1, decode($2, 'hex'), $3)
     ON CONFLICT (host_id) DO UPDATE SET digest = excluded.digest, value = excluded.value, updated_at = now()
      WHERE host_parameters.digest IS DISTINCT FROM excluded.digest`,
    [hostId, hex, value],
  );
}

/** Canonical bytes of a stored value, for applying a delta to; undefined when there is none. */
export async function storedValue(
  sql: Sql,
  facet: KnownFacet,
  hostId: string,
  hex: string,
): Promise<Uint8Array | undefined> {
  const digest = `digest = decode($1, 'hex')`;
  switch (facet) {
    case Facet.FACET_PARAMETERS:
      return (
        await sql.query<{ value: Buffer }>(`SELECT value FROM host_parameters WHERE ${digest} AND host_id = $2`, [
          hex,
          hostId,
        ])
      )[0]?.value;
    case Facet.FACET_LOADED:
    case Facet.FACET_DEVICES:
    case Facet.FACET_CONFIG:
      return (await sql.query<{ value: Buffer }>(`SELECT value FROM ${SET_TABLES[facet]} WHERE ${digest}`, [hex]))[0]
        ?.value;
    case Facet.FACET_AVAILABLE:
      return undefined;
  }
}
