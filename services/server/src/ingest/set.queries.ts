/** One function a statement: content-addressed sets. Every insert is `ON CONFLICT DO NOTHING`: equal digests have equal content. */
import { Facet, type KnownFacet, type LoadedKmod } from '@modfleet/proto';
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

/** Sorted by digest, as all that is inserted here in numbers: two replicas never wait for each other in a circle. */
export async function insertLoadedSets(
  sql: Sql,
  sets: readonly { readonly hex: string; readonly buildIds: readonly number[] }[],
): Promise<void> {
  await sql.query(
    `INSERT INTO loaded_set (digest, build_ids) SELECT decode(v.hex, 'hex'), v.build_ids::int[] FROM unnest($1::text[], $2::text[]) AS v (hex, build_ids)
     ON CONFLICT DO NOTHING`,
    [sets.map(({ hex }) => hex), sets.map(({ buildIds }) => `{${buildIds.join(',')}}`)],
  );
}

export async function insertAvailableSet(
  sql: Sql,
  hex: string,
  kernelRelease: string,
  contentDigest: Uint8Array,
  kmodCount: number,
): Promise<number | undefined> {
  const rows = await sql.query<{ id: number }>(
    `INSERT INTO available_set (digest, kernel_release, content_digest, kmod_count) VALUES (decode($1, 'hex'), $2, $3, $4)
     ON CONFLICT DO NOTHING RETURNING id`,
    [hex, kernelRelease, contentDigest, kmodCount],
  );
  return rows[0]?.id;
}

/** `kmods`: JSON array of objects with the columns below. */
export async function insertAvailableKmods(sql: Sql, set: number, kmods: string): Promise<void> {
  await sql.query(
    `INSERT INTO available_kmod (set_id, kmod_id, path, builtin, version, srcversion, license, signer, description, depends, aliases,
                                 softdeps_pre, softdeps_post, build_id)
     SELECT $1::int, r.kmod_id, r.path, r.builtin, r.version, r.srcversion, r.license, r.signer, r.description, r.depends, r.aliases,
            r.softdeps_pre, r.softdeps_post, r.build_id
       FROM jsonb_to_recordset($2::jsonb) AS r (kmod_id int, path text, builtin boolean, version text, srcversion text, license text, signer text,
            description text, depends text[], aliases text[], softdeps_pre text[], softdeps_post text[], build_id text)`,
    [set, kmods],
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

/** @returns the numbers of those that are new, by digest (hex). */
export async function insertDeviceSets(
  sql: Sql,
  sets: readonly { readonly hex: string; readonly bytes: Uint8Array }[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await sql.query<{ hex: string; id: number }>(
    `INSERT INTO device_set (digest, value) SELECT decode(v.hex, 'hex'), v.value FROM unnest($1::text[], $2::bytea[]) AS v (hex, value)
     ON CONFLICT DO NOTHING RETURNING encode(digest, 'hex') AS hex, id`,
    [sets.map(({ hex }) => hex), sets.map(({ bytes }) => Buffer.from(bytes))],
  );
  return new Map(rows.map(({ hex, id }) => [hex, id]));
}

/** `devices`: JSON array of objects with the columns below. */
export async function insertDevices(sql: Sql, devices: string): Promise<void> {
  await sql.query(
    `INSERT INTO device_driver (set_id, bus, address, driver, kmod_id, builtin, modalias, names)
     SELECT r.set, r.bus, r.address, r.driver, r.kmod_id, r.builtin, r.modalias, r.names
       FROM jsonb_to_recordset($1::jsonb)
         AS r (set int, bus text, address text, driver text, kmod_id int, builtin boolean, modalias text, names text[])`,
    [devices],
  );
}

/** `summary`: JSON. @returns the numbers of those that are new, by digest (hex). */
export async function insertConfigSets(
  sql: Sql,
  sets: readonly { readonly hex: string; readonly bytes: Uint8Array; readonly summary: string }[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await sql.query<{ hex: string; id: number }>(
    `INSERT INTO config_set (digest, value, summary)
     SELECT decode(v.hex, 'hex'), v.value, v.summary::jsonb FROM unnest($1::text[], $2::bytea[], $3::text[]) AS v (hex, value, summary)
     ON CONFLICT DO NOTHING RETURNING encode(digest, 'hex') AS hex, id`,
    [sets.map(({ hex }) => hex), sets.map(({ bytes }) => Buffer.from(bytes)), sets.map(({ summary }) => summary)],
  );
  return new Map(rows.map(({ hex, id }) => [hex, id]));
}

/** `blocks`: JSON array of objects with the columns below. */
export async function insertBlocks(sql: Sql, blocks: string): Promise<void> {
  await sql.query(
    `INSERT INTO config_block (set_id, seq, kmod_id, rung, file, line, detail)
     SELECT r.set, r.seq, r.kmod_id, r.rung, r.file, r.line, r.detail
       FROM jsonb_to_recordset($1::jsonb) AS r (set int, seq int, kmod_id int, rung smallint, file text, line int, detail text)`,
    [blocks],
  );
}

/** Whole parameters of hosts, each host once; the newest wins. */
export async function upsertParameters(
  sql: Sql,
  rows: readonly { readonly hostId: string; readonly hex: string; readonly bytes: Uint8Array }[],
): Promise<void> {
  await sql.query(
    `INSERT INTO host_parameters (host_id, digest, value)
     SELECT v.host_id, decode(v.hex, 'hex'), v.value FROM unnest($1::uuid[], $2::text[], $3::bytea[]) AS v (host_id, hex, value)
     ON CONFLICT (host_id) DO UPDATE SET digest = excluded.digest, value = excluded.value, updated_at = now()
      WHERE host_parameters.digest IS DISTINCT FROM excluded.digest`,
    [rows.map(({ hostId }) => hostId), rows.map(({ hex }) => hex), rows.map(({ bytes }) => Buffer.from(bytes))],
  );
}

/** What a loaded set holds, in its order; undefined for a set that is not stored. */
export async function loadedKmods(sql: Sql, hex: string): Promise<LoadedKmod[] | undefined> {
  const rows = await sql.query<LoadedKmod & { name: string | null }>(
    `SELECT k.name, b.build_id AS "buildId", b.size, b.taint, b.version, b.srcversion, b.state
       FROM loaded_set s LEFT JOIN LATERAL unnest(s.build_ids) WITH ORDINALITY AS u (build, place) ON true
       LEFT JOIN kmod_build b ON b.id = u.build LEFT JOIN kmod k ON k.id = b.kmod_id
      WHERE s.digest = decode($1, 'hex') ORDER BY u.place`,
    [hex],
  );
  return rows.length === 0 ? undefined : rows.filter(({ name }) => name !== null);
}

/** Canonical bytes of a stored value, for applying a delta to; undefined when there is none, or when they follow from rows (`loaded`, `available`). */
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
    case Facet.FACET_DEVICES:
    case Facet.FACET_CONFIG:
      return (await sql.query<{ value: Buffer }>(`SELECT value FROM ${SET_TABLES[facet]} WHERE ${digest}`, [hex]))[0]
        ?.value;
    case Facet.FACET_LOADED:
    case Facet.FACET_AVAILABLE:
      return undefined;
  }
}
