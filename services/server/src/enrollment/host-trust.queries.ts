import type { TrustState } from '@modfleet/proto';
import type { Sql } from '../database/database.service.ts';

/** A host trusts the current and the next CA; more is nonsense, and is not stored. */
const CAS_MAX = 8;

/** Writes which CAs hosts trust, where that differs from what is stored. */
export async function updateTrust(
  sql: Sql,
  hosts: readonly { readonly hostId: string; readonly trust: TrustState }[],
): Promise<void> {
  await sql.query(
    `WITH locked AS MATERIALIZED (SELECT id FROM host WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE)
     UPDATE host h SET trust_generation = v.generation, trusted_cas = string_to_array(v.cas, ','), certificate_ca = v.ca
       FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[]) AS v (id, generation, cas, ca)
       JOIN locked l ON l.id = v.id
      WHERE h.id = v.id AND (h.trust_generation, h.trusted_cas, h.certificate_ca) IS DISTINCT FROM (v.generation, string_to_array(v.cas, ','), v.ca)`,
    [
      hosts.map(({ hostId }) => hostId),
      hosts.map(({ trust }) => trust.generation),
      hosts.map(({ trust }) => trust.caFingerprints.slice(0, CAS_MAX).map(idOf).toSorted().join(',')),
      hosts.map(({ trust }) => idOf(trust.certificateCa)),
    ],
  );
}

/** Empty for what is no SHA-256. */
function idOf(fingerprint: Buffer): string {
  return fingerprint.length === 32 ? fingerprint.toString('hex') : '';
}
