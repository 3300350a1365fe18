import { createHash } from 'node:crypto';

/** Bytes of a nonce from IdentityService.Challenge. */
export const NONCE_BYTES = 32;

const DIAGNOSE_DOMAIN = Buffer.from('modfleet-diagnose-v1\0', 'ascii');
const DIAGNOSIS_DOMAIN = Buffer.from('modfleet-diagnosis-v1\0', 'ascii');
const RENEW_DOMAIN = Buffer.from('modfleet-renew-v1\0', 'ascii');
const RENEWAL_DOMAIN = Buffer.from('modfleet-renewal-v1\0', 'ascii');

/** What a host signs with its key to ask IdentityService.Diagnose. */
export function diagnoseRequestBytes(nonce: Uint8Array): Uint8Array {
  return Buffer.concat([DIAGNOSE_DOMAIN, nonce]);
}

/** What the CA signs in the answer of IdentityService.Diagnose. `serverTimeMs` is ms since the epoch. */
export function diagnosisBytes(nonce: Uint8Array, status: number, serverTimeMs: number): Uint8Array {
  return Buffer.concat([DIAGNOSIS_DOMAIN, nonce, statusAndTime(status, serverTimeMs)]);
}

/** What a host signs with its key to ask IdentityService.Renew. `certificate` is DER. */
export function renewRequestBytes(nonce: Uint8Array, certificate: Uint8Array, bootId: string): Uint8Array {
  return Buffer.concat([RENEW_DOMAIN, nonce, digestOf(certificate), Buffer.from(bootId, 'utf8')]);
}

/** What the CA signs in the answer of IdentityService.Renew. `certificate` is DER, empty when there is none. */
export function renewalBytes(
  nonce: Uint8Array,
  status: number,
  serverTimeMs: number,
  certificate: Uint8Array,
): Uint8Array {
  return Buffer.concat([RENEWAL_DOMAIN, nonce, statusAndTime(status, serverTimeMs), digestOf(certificate)]);
}

/** Status (1 byte) and ms since the epoch (8 bytes, big endian). */
function statusAndTime(status: number, serverTimeMs: number): Uint8Array {
  const bytes = Buffer.alloc(9);
  bytes.writeUInt8(status, 0);
  bytes.writeBigUInt64BE(BigInt(serverTimeMs), 1);
  return bytes;
}

function digestOf(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}
