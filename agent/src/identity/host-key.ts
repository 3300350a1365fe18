import { createPublicKey, generateKeyPairSync, sign, webcrypto } from 'node:crypto';
import type { IdentityStore } from './host-identity.ts';

/** ECDSA over P-256 with SHA-256: what the CA signs and every TLS 1.3 stack knows. */
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const;

/**
 * The host's private key, made here once and never sent. It is on disk before it is used: after a lost answer the agent presents the same key again
 * and gets the same host.
 */
export async function loadOrMakeKey(store: IdentityStore): Promise<string> {
  const kept = await store.loadKey();
  if (kept !== undefined) return kept;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  await store.saveKey(pem);
  return pem;
}

/** A PKCS #10 request (DER) for this key. The subject means nothing: the server chooses the host's name. */
export async function makeCertificateRequest(keyPem: string): Promise<Uint8Array> {
  // Loaded when needed: an enrolled agent never is, and the library takes several MiB of memory.
  const { Pkcs10CertificateRequestGenerator, PemConverter } = await import('@peculiar/x509');
  const privateKey = await webcrypto.subtle.importKey('pkcs8', PemConverter.decodeFirst(keyPem), ALGORITHM, true, [
    'sign',
  ]);
  const spki = createPublicKey(keyPem).export({ type: 'spki', format: 'der' });
  const publicKey = await webcrypto.subtle.importKey('spki', spki, ALGORITHM, true, ['verify']);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: 'CN=modfleet-host',
    keys: { privateKey, publicKey },
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  return new Uint8Array(request.rawData);
}

/** ECDSA P-256 SHA-256 signature in IEEE P1363 form (64 bytes). */
export function signWithKey(keyPem: string, bytes: Uint8Array): Uint8Array {
  return sign('sha256', bytes, { key: keyPem, dsaEncoding: 'ieee-p1363' });
}
