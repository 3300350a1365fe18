import { generateKeyPairSync, sign } from 'node:crypto';
import type { IdentityStore } from './host-identity.ts';

/**
 * The host's private key (PKCS #8, PEM; ECDSA on P-256), made here once and never sent. It is on disk before it is used: after a lost answer the agent
 * presents the same key again and gets the same host.
 *
 * @throws IdentityStoreError
 */
export async function loadOrMakeKey(store: IdentityStore): Promise<string> {
  const kept = await store.loadKey();
  if (kept !== undefined) return kept;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  await store.saveKey(pem);
  return pem;
}

/** ECDSA P-256 SHA-256 signature in IEEE P1363 form (64 bytes). */
export function signWithKey(keyPem: string, bytes: Uint8Array): Uint8Array {
  return sign('sha256', bytes, { key: keyPem, dsaEncoding: 'ieee-p1363' });
}
