import 'reflect-metadata';
import { createHash, createPublicKey, type KeyObject, randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto as unknown as Crypto);

type Crypto = Parameters<typeof x509.cryptoProvider.set>[0];
type CryptoKey = Parameters<typeof x509.X509CertificateGenerator.create>[0] extends infer P
  ? P extends { signingKey: infer K }
    ? K
    : never
  : never;

/** Elliptic curve of every key here: P-256 is what TLS stacks and hardware agree on. */
export const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** Certificates begin 5 minutes before now: a host's clock may be a little behind. */
export const BACKDATE_MS = 5 * 60_000;

const signingKeys = new WeakMap<KeyObject, Promise<CryptoKey>>();

/** A private key of ours for signing through WebCrypto. */
export function signingKey(key: KeyObject): Promise<CryptoKey> {
  const known = signingKeys.get(key);
  if (known !== undefined) return known;
  const pkcs8 = new Uint8Array(key.export({ type: 'pkcs8', format: 'der' }));
  const imported = webcrypto.subtle.importKey('pkcs8', pkcs8, P256, true, ['sign']) as Promise<CryptoKey>;
  signingKeys.set(key, imported);
  return imported;
}

/** SHA-256 over the subject public key info, DER. */
export function keyFingerprint(spki: Uint8Array): Buffer {
  return createHash('sha256').update(spki).digest();
}

/** DER of the public half. */
export function spkiOf(key: KeyObject): Buffer {
  return createPublicKey(
    key.type === 'private' ? key.export({ type: 'pkcs8', format: 'pem' }) : key.export({ type: 'spki', format: 'pem' }),
  ).export({
    type: 'spki',
    format: 'der',
  });
}

/** 16 random bytes, positive, hex. A host's certificate has another kind of serial number: certificate-serial.ts. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

export interface CertificateTerms {
  readonly subject: CertificateName;
  readonly lifeMs: number;
  readonly now: Date;
  /** How long before now it begins; {@link BACKDATE_MS} unless it says otherwise. */
  readonly backdateMs?: number;
  /** Hex; random when absent. */
  readonly serial?: string;
  readonly extensions: readonly x509.Extension[];
}

/** A name as text, or as another certificate has it: byte for byte, as chains compare it. */
export type CertificateName = string | x509.Name;

/** Who signs. */
export interface Issuer {
  readonly name: CertificateName;
  readonly spki: Uint8Array;
  readonly key: KeyObject;
  /** Its own certificate, where it has one: what it issues names its key id and does not outlive it. */
  readonly certificate?: x509.X509Certificate;
}

/** Issues a certificate for `spki`; with its own name and key as the issuer it is self-signed. */
export async function issue(
  terms: CertificateTerms,
  spki: Uint8Array,
  issuer: Issuer,
): Promise<{ readonly der: Buffer; readonly serial: string; readonly notAfter: Date }> {
  const serial = terms.serial ?? newSerial();
  const notAfter = new Date(endOf(terms, issuer));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial,
    subject: terms.subject,
    issuer: issuer.name,
    notBefore: new Date(terms.now.getTime() - (terms.backdateMs ?? BACKDATE_MS)),
    notAfter,
    publicKey: new x509.PublicKey(new Uint8Array(spki)),
    signingKey: await signingKey(issuer.key),
    signingAlgorithm: P256,
    extensions: [...terms.extensions, ...subjectKeyId(terms.extensions, spki), await issuerKeyId(issuer)],
  });
  return { der: Buffer.from(certificate.rawData), serial, notAfter };
}

/** ms since the epoch. Not past the issuer's own end; one that has ended already by this clock (it may be wrong) limits nothing. */
function endOf({ now, lifeMs }: CertificateTerms, issuer: Issuer): number {
  const wanted = now.getTime() + lifeMs;
  const ends = issuer.certificate?.notAfter.getTime() ?? wanted;
  return ends > now.getTime() ? Math.min(wanted, ends) : wanted;
}

/** Bytes of an uncompressed point on P-256 (SEC 1, 2.3.3), with which its subject public key info ends (RFC 5480, 2). */
const POINT_BYTES = 65;

function subjectKeyId(extensions: readonly x509.Extension[], spki: Uint8Array): x509.Extension[] {
  if (extensions.some((extension) => extension instanceof x509.SubjectKeyIdentifierExtension)) return [];
  // RFC 5280, 4.2.1.2, method 1: no secret hangs on this hash.
  const id = createHash('sha1').update(spki.subarray(-POINT_BYTES)).digest('hex');
  return [new x509.SubjectKeyIdentifierExtension(id)];
}

const issuerKeyIds = new WeakMap<Issuer, Promise<x509.Extension>>();

/** RFC 5280, 4.2.1.1: the id that the issuer's own certificate has, however that was computed; else chains do not fit. */
function issuerKeyId(issuer: Issuer): Promise<x509.Extension> {
  const known = issuerKeyIds.get(issuer);
  if (known !== undefined) return known;
  const named = issuer.certificate?.getExtension(x509.SubjectKeyIdentifierExtension);
  const made =
    named === undefined || named === null
      ? x509.AuthorityKeyIdentifierExtension.create(new x509.PublicKey(new Uint8Array(issuer.spki)))
      : Promise.resolve(new x509.AuthorityKeyIdentifierExtension(named.keyId));
  issuerKeyIds.set(issuer, made);
  return made;
}

/** PEM of a DER certificate. */
export function certificatePem(der: Uint8Array): string {
  const base64 = Buffer.from(der).toString('base64').replaceAll(/.{64}/g, '$&\n').trimEnd();
  return `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
}

export { x509 };
