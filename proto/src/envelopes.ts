/** Bytes of a nonce from IdentityService.Challenge. */
export const NONCE_BYTES = 32;

const DIAGNOSE_DOMAIN = Buffer.from('modfleet-diagnose-v1\0', 'ascii');
const DIAGNOSIS_DOMAIN = Buffer.from('modfleet-diagnosis-v1\0', 'ascii');

/** What a host signs with its key to ask IdentityService.Diagnose. */
export function diagnoseRequestBytes(nonce: Uint8Array): Uint8Array {
  return Buffer.concat([DIAGNOSE_DOMAIN, nonce]);
}

/** What the CA signs in the answer of IdentityService.Diagnose. `serverTimeMs` is ms since the epoch. */
export function diagnosisBytes(nonce: Uint8Array, status: number, serverTimeMs: number): Uint8Array {
  const tail = Buffer.alloc(9);
  tail.writeUInt8(status, 0);
  tail.writeBigUInt64BE(BigInt(serverTimeMs), 1);
  return Buffer.concat([DIAGNOSIS_DOMAIN, nonce, tail]);
}
