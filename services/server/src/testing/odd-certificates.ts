import { createPrivateKey, type KeyObject, webcrypto } from 'node:crypto';
import { join } from 'node:path';
import { hostUri } from '@modfleet/proto';
import { issuerOf } from '../ca/ca-certificate.ts';
import { openCaStore } from '../ca/ca-store.ts';
import { certificatePem, P256, x509 } from '../ca/x509.ts';

/** A key as WebCrypto has it, and as TLS wants it. */
export interface OddKey {
  readonly keys: webcrypto.CryptoKeyPair;
  readonly pem: string;
}

/** Who signs. */
export interface OddIssuer {
  readonly name: string;
  readonly key: OddKey;
}

export interface OddTerms {
  readonly subject?: string;
  readonly uris?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Object ids; absent: clientAuth; empty: no such extension. */
  readonly usages?: readonly string[];
  readonly isCa?: boolean;
  readonly hash?: 'SHA-1' | 'SHA-256';
}

const HOUR_MS = 3_600_000;

export async function oddKey(algorithm: object = P256): Promise<OddKey> {
  const keys = (await webcrypto.subtle.generateKey(algorithm as typeof P256, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  return { keys, pem: await pemOf(keys.privateKey) };
}

/** RSA as it was long ago. */
export const RSA_1024 = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 1024,
  publicExponent: new Uint8Array([1, 0, 1]),
};

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString();
}

/** The CA of a server as a thief of its folder has it. */
export async function stolenCa(stateDir: string): Promise<OddIssuer & { readonly certificatePem: string }> {
  const { trusted } = await openCaStore({ folder: join(stateDir, 'ca'), passphrase: undefined }, new Date());
  const [issuing] = trusted;
  if (issuing === undefined) throw new Error('a set without a CA');
  const { key } = issuerOf(issuing);
  const name = new x509.X509Certificate(new Uint8Array(issuing.certificate)).subject;
  return { name, key: await imported(key), certificatePem: certificatePem(issuing.certificate) };
}

async function imported(key: KeyObject): Promise<OddKey> {
  const pkcs8 = new Uint8Array(key.export({ type: 'pkcs8', format: 'der' }));
  const privateKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, P256, true, ['sign']);
  return { keys: { privateKey, publicKey: privateKey }, pem: await pemOf(privateKey) };
}

/** A certificate that no server of ours makes, PEM. */
export async function oddCertificate(
  hostId: string,
  key: OddKey,
  issuer: OddIssuer,
  terms: OddTerms = {},
): Promise<string> {
  const { subject = `CN=${hostId}`, uris = [hostUri(hostId)], usages = [x509.ExtendedKeyUsage.clientAuth] } = terms;
  const rsa = (issuer.key.keys.privateKey.algorithm as { name: string }).name.startsWith('RSA');
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: webcrypto.randomUUID().replaceAll('-', ''),
    subject,
    issuer: issuer.name,
    notBefore: terms.notBefore ?? new Date(Date.now() - HOUR_MS),
    notAfter: terms.notAfter ?? new Date(Date.now() + HOUR_MS),
    publicKey: key.keys.publicKey as never,
    signingKey: issuer.key.keys.privateKey as never,
    signingAlgorithm: rsa ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } : { ...P256, hash: terms.hash ?? 'SHA-256' },
    extensions: [
      new x509.BasicConstraintsExtension(terms.isCa ?? false, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.digitalSignature | (terms.isCa === true ? x509.KeyUsageFlags.keyCertSign : 0),
        true,
      ),
      ...(usages.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension([...usages], true)]),
      ...(uris.length === 0
        ? []
        : [new x509.SubjectAlternativeNameExtension(uris.map((value) => ({ type: 'url', value })))]),
    ],
  });
  return certificatePem(Buffer.from(certificate.rawData));
}
