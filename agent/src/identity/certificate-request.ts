import { createPublicKey, webcrypto } from 'node:crypto';
// @peculiar/x509 registers its parts through it.
import 'reflect-metadata';
import { PemConverter, Pkcs10CertificateRequestGenerator } from '@peculiar/x509';

/*
 * A file of its own on a host, loaded by the two commands that join: the resident program never holds these libraries, which take more memory than all
 * of the agent's own text.
 */

/** ECDSA over P-256 with SHA-256: what the CA signs and every TLS 1.3 stack knows. */
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const;

/**
 * A PKCS #10 certificate request (RFC 2986, DER) for this key (PKCS #8, PEM). The subject means nothing: the server chooses the host's name.
 */
export async function makeCertificateRequest(keyPem: string): Promise<Uint8Array> {
  const pkcs8 = PemConverter.decodeFirst(keyPem);
  const privateKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, ALGORITHM, true, ['sign']);
  const spki = createPublicKey(keyPem).export({ type: 'spki', format: 'der' });
  const publicKey = await webcrypto.subtle.importKey('spki', new Uint8Array(spki), ALGORITHM, true, ['verify']);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: 'CN=modfleet-host',
    keys: { privateKey, publicKey },
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  return new Uint8Array(request.rawData);
}
