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

/** Locked until the transaction ends: renewals and sessions of one host line up. */
export async function lockHostIdentity(sql: Sql, hostId: string): Promise<HostIdentityRow | undefined> {
  const [row] = await sql.query<HostIdentityRow>(`SELECT ${IDENTITY} FROM host WHERE id = $1 FOR NO KEY UPDATE`, [
    hostId,
  ]);
  return row;
}

export async function findHostByKey(sql: Sql, keyFingerprint: Buffer): Promise<HostIdentityRow | undefined> {
  const [row] = await sql.query<HostIdentityRow>(`SELECT ${IDENTITY} FROM host WHERE key_fingerprint = $1`, [
    keyFingerprint,
  ]);
  return row;
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

export async function insertHost(sql: Sql, host: NewHostRow): Promise<void> {
  const { columns } = host;
  await sql.query(
    `INSERT INTO host (id, name, machine_id, facts, kernel_release, kernel_series, os_id, os_version_id, arch, package_family, agent_version, mode,
                       labels, key_fingerprint, certificate_serial, renewal_counter, certificate_not_after, join_token_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
    [
      host.id,
      columns.name,
      columns.machineId,
      columns.facts,
      columns.kernelRelease,
      columns.kernelSeries,
      columns.osId,
      columns.osVersionId,
      columns.arch,
      columns.packageFamily,
      columns.agentVersion,
      columns.mode,
      JSON.stringify(host.labels),
      host.keyFingerprint,
      host.certificate.serial,
      host.certificate.counter,
      host.certificate.notAfter,
      host.joinTokenId,
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

/** Writes facts when they differ from what is stored. True when they tell of damage to the journal that was not known. */
export async function updateFacts(sql: Sql, hostId: string, columns: HostColumns): Promise<boolean> {
  const [row] = await sql.query<{ damaged: boolean }>(
    `UPDATE host SET name = $2, machine_id = $3, facts = $4, kernel_release = $5, kernel_series = $6, os_id = $7, os_version_id = $8, arch = $9,
                     package_family = $10, agent_version = $11, mode = $12, journal_damage = coalesce($13, journal_damage),
                     journal_damaged_at = CASE WHEN $13 = '' THEN NULL WHEN $13 <> journal_damage THEN now() ELSE journal_damaged_at END
      WHERE id = $1 AND (facts IS DISTINCT FROM $4::jsonb OR $13 <> journal_damage)
  RETURNING coalesce(journal_damaged_at = now(), false) AS damaged`,
    [
      hostId,
      columns.name,
      columns.machineId,
      columns.facts,
      columns.kernelRelease,
      columns.kernelSeries,
      columns.osId,
      columns.osVersionId,
      columns.arch,
      columns.packageFamily,
      columns.agentVersion,
      columns.mode,
      columns.journalDamage ?? null,
    ],
  );
  return row?.damaged === true;
}
