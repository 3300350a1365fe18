import { createHash } from 'node:crypto';

/** Keeps a signature over a bundle apart from every other use of a CA's key; a certificate's bytes begin with 0x30. */
const DOMAIN = Buffer.from('modfleet-trust-v1\0', 'ascii');

/** CAs of one bundle: the current and the next one; two to spare. */
export const TRUSTED_CAS_MAX = 4;

/** CAs that a host may have slept through. Each is some 450 bytes in every handshake. */
export const VOUCHING_MAX = 4;

/** What the issuing CA signs of a {@link TrustBundle}. `generation` is below 2^53, certificates are DER. */
export function trustBundleBytes(generation: number, caCertificates: readonly Uint8Array[]): Uint8Array {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(generation));
  return Buffer.concat([DOMAIN, number, ...caCertificates.map(certificateFingerprint)]);
}

/** SHA-256 of a certificate's DER, 32 bytes: how a CA is named everywhere, also in a join string. */
export function certificateFingerprint(der: Uint8Array): Buffer {
  return createHash('sha256').update(der).digest();
}
