import type { Sql } from '../database/database.service.ts';
import type { HostColumns } from './host-facts.ts';

/** What identity needs of a host. */
export interface HostIdentityRow {
  readonly id: string;
  readonly keyFingerprint: Buffer;
  readonly certificateSerial: string;
  readonly retired: boolean;
  readonly quarantined: boolean;
  readonly quarantineReason: string | null;
  readonly revoked: boolean;
  /** Counter of the certificate that was issued last. */
  readonly renewalCounter: number;
  /** Serial number (hex) of the latest certificate that was used; empty: any may come. */
  readonly certificateUsed: string;
  /** Since anything was last heard of the host, ms, by Postgres's clock. */
  readonly silentMs: number;
  /** `address:port` and boot id of its latest session. */
  readonly lastAddress: string | null;
  readonly lastBootId: string | null;
}

const IDENTITY = `id, key_fingerprint AS "keyFingerprint", certificate_serial AS "certificateSerial", retired_at IS NOT NULL AS retired,
  quarantined_at IS NOT NULL AS quarantined, quarantine_reason AS "quarantineReason", revoked_at IS NOT NULL AS revoked,
  renewal_counter AS "renewalCounter", certificate_used AS "certificateUsed",
  (extract(epoch FROM now() - greatest(enrolled_at, renewed_at, last_seen_at)) * 1000)::float8 AS "silentMs",
  last_address AS "lastAddress", last_boot_id AS "lastBootId"`;

export async function findHostIdentity(sql: Sql, hostId: string): Promise<HostIdentityRow | undefined> {
  const [row] = await sql.query<HostIdentityRow>(`SELECT ${IDENTITY} FROM host WHERE id = $1`, [hostId]);
  return row;
}

/** Those that there are, in no order. */
export function findHostIdentities(sql: Sql, hostIds: readonly string[]): Promise<HostIdentityRow[]> {
  return sql.query<HostIdentityRow>(`SELECT ${IDENTITY} FROM host WHERE id = ANY ($1::uuid[])`, [hostIds]);
}

/** {@link lockHostIdentity} of several, in the order of their ids. */
export function lockHostIdentities(sql: Sql, hostIds: readonly string[]): Promise<HostIdentityRow[]> {
  return sql.query<HostIdentityRow>(
    `SELECT ${IDENTITY} FROM host WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE`,
    [hostIds],
  );
}

/** Locked until the transaction ends: renewals and sessions of one host line up. */
export async function lockHostIdentity(sql: Sql, hostId: string): Promise<HostIdentityRow | undefined> {
  const [row] = await sql.query<HostIdentityRow>(`SELECT ${IDENTITY} FROM host WHERE id = $1 FOR NO KEY UPDATE`, [
    hostId,
  ]);
  return row;
}

export function findHostsByKey(sql: Sql, keyFingerprints: readonly Buffer[]): Promise<HostIdentityRow[]> {
  return sql.query<HostIdentityRow>(`SELECT ${IDENTITY} FROM host WHERE key_fingerprint = ANY ($1::bytea[])`, [
    keyFingerprints,
  ]);
}

export interface NewHostRow {
  readonly id: string;
  readonly columns: HostColumns;
  readonly labels: Readonly<Record<string, string>>;
  readonly keyFingerprint: Buffer;
  readonly certificate: IssuedRow;
  readonly joinTokenId: string;
}

/** What is kept of an issued certificate. */
export interface IssuedRow {
  readonly serial: string;
  readonly counter: number;
  readonly notAfter: Date;
}

export async function insertHosts(sql: Sql, hosts: readonly NewHostRow[]): Promise<void> {
  const column = <T>(pick: (host: NewHostRow) => T): T[] => hosts.map(pick);
  await sql.query(
    `INSERT INTO host (id, name, machine_id, facts, kernel_release, kernel_series, os_id, os_version_id, arch, package_family, agent_version, mode,
                       labels, key_fingerprint, certificate_serial, renewal_counter, certificate_not_after, join_token_id)
     SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
                          $11::text[], $12::text[], $13::jsonb[], $14::bytea[], $15::text[], $16::bigint[], $17::timestamptz[], $18::uuid[])`,
    [
      column((host) => host.id),
      column((host) => host.columns.name),
      column((host) => host.columns.machineId),
      column((host) => host.columns.facts),
      column((host) => host.columns.kernelRelease),
      column((host) => host.columns.kernelSeries),
      column((host) => host.columns.osId),
      column((host) => host.columns.osVersionId),
      column((host) => host.columns.arch),
      column((host) => host.columns.packageFamily),
      column((host) => host.columns.agentVersion),
      column((host) => host.columns.mode),
      column((host) => JSON.stringify(host.labels)),
      column((host) => host.keyFingerprint),
      column((host) => host.certificate.serial),
      column((host) => host.certificate.counter),
      column((host) => host.certificate.notAfter),
      column((host) => host.joinTokenId),
    ],
  );
}

/**
 * A new certificate for the same key.
 *
 * @param shown what was shown for it, and by whom: serial, `address:port`, boot id; null: what was used last stands.
 */
export async function updateCertificate(
  sql: Sql,
  hostId: string,
  issued: IssuedRow,
  shown: { readonly serial: string; readonly peer: string; readonly bootId: string } | null = null,
): Promise<void> {
  await sql.query(
    `UPDATE host SET certificate_serial = $2, renewal_counter = $3, certificate_not_after = $4, renewed_at = now(),
                     certificate_used = coalesce($5, certificate_used), last_address = coalesce($6, last_address),
                     last_boot_id = coalesce($7, last_boot_id), last_seen_at = CASE WHEN $5 IS NULL THEN last_seen_at ELSE now() END
      WHERE id = $1`,
    [
      hostId,
      issued.serial,
      issued.counter,
      issued.notAfter,
      shown?.serial ?? null,
      shown?.peer ?? null,
      shown?.bootId ?? null,
    ],
  );
}

/** Writes facts of hosts where they differ from what is stored. @returns the hosts whose journal has damage that was not known */
export async function updateFacts(
  sql: Sql,
  hosts: readonly { readonly hostId: string; readonly columns: HostColumns }[],
): Promise<ReadonlySet<string>> {
  const column = (pick: (columns: HostColumns) => string | undefined): (string | null)[] =>
    hosts.map(({ columns }) => pick(columns) ?? null);
  const rows = await sql.query<{ id: string }>(
    `WITH locked AS MATERIALIZED (SELECT id FROM host WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE),
      told AS (
        UPDATE host h SET name = v.name, machine_id = v.machine_id, facts = v.facts, kernel_release = v.kernel_release, kernel_series = v.kernel_series,
                          os_id = v.os_id, os_version_id = v.os_version_id, arch = v.arch, package_family = v.package_family,
                          agent_version = v.agent_version, mode = v.mode, journal_damage = coalesce(v.damage, h.journal_damage),
                          journal_damaged_at = CASE WHEN v.damage = '' THEN NULL WHEN v.damage <> h.journal_damage THEN now() ELSE h.journal_damaged_at END
          FROM unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
                      $12::text[], $13::text[])
                 AS v (id, name, machine_id, facts, kernel_release, kernel_series, os_id, os_version_id, arch, package_family, agent_version, mode, damage)
          JOIN locked l ON l.id = v.id
         WHERE h.id = v.id AND (h.facts IS DISTINCT FROM v.facts OR v.damage <> h.journal_damage)
     RETURNING h.id, coalesce(h.journal_damaged_at = now(), false) AS damaged)
     SELECT id FROM told WHERE damaged`,
    [
      hosts.map(({ hostId }) => hostId),
      column(({ name }) => name),
      column(({ machineId }) => machineId),
      column(({ facts }) => facts),
      column(({ kernelRelease }) => kernelRelease),
      column(({ kernelSeries }) => kernelSeries),
      column(({ osId }) => osId),
      column(({ osVersionId }) => osVersionId),
      column(({ arch }) => arch),
      column(({ packageFamily }) => packageFamily),
      column(({ agentVersion }) => agentVersion),
      column(({ mode }) => mode),
      column(({ journalDamage }) => journalDamage),
    ],
  );
  return new Set(rows.map(({ id }) => id));
}
