import type { TrustState } from '@modfleet/proto';
import type { Sql } from '../database/database.service.ts';

/** A host trusts the current and the next CA; more is nonsense, and is not stored. */
const CAS_MAX = 8;

/** Writes which CAs a host trusts, when that differs from what is stored. */
export async function updateTrust(sql: Sql, hostId: string, trust: TrustState): Promise<void> {
  await sql.query(
    `UPDATE host SET trust_generation = $2, trusted_cas = $3, certificate_ca = $4
      WHERE id = $1 AND (trust_generation, trusted_cas, certificate_ca) IS DISTINCT FROM ($2::bigint, $3::text[], $4::text)`,
    [hostId, trust.generation, trust.caFingerprints.slice(0, CAS_MAX).map(idOf).toSorted(), idOf(trust.certificateCa)],
  );
}

/** Empty for what is no SHA-256. */
function idOf(fingerprint: Buffer): string {
  return fingerprint.length === 32 ? fingerprint.toString('hex') : '';
}
