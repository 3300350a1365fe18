import { createHash, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { certificatePem, issue, type Issuer, spkiOf, x509 } from './x509.ts';

/** Files that hold no CA which this server can use. The message names them and the way out. */
export class CaStoreError extends Error {
  readonly code = 'ca_unusable';
}

/** A CA's certificate (DER), and its key where this server has it. */
export interface CaMaterial {
  /** SHA-256 of the certificate, hex. */
  readonly id: string;
  readonly certificate: Buffer;
  readonly notAfter: Date;
  readonly key: KeyObject | null;
}

/** Ten years: the CA is pinned by every host, and changing it is an operation of its own. */
const CA_LIFE_MS = 3650 * 86_400_000;

const usage = x509.KeyUsageFlags;
const CA_USAGE = usage.keyCertSign | usage.cRLSign | usage.digitalSignature;

export function caId(certificate: Uint8Array): string {
  return createHash('sha256').update(certificate).digest('hex');
}

export function caMaterial(certificate: Buffer, key: KeyObject | null): CaMaterial {
  const { validToDate } = new X509Certificate(certificate);
  return { id: caId(certificate), certificate, notAfter: validToDate, key };
}

/** A fleet that joins at once asks for thousands of certificates by one CA. */
const issuers = new WeakMap<CaMaterial, Issuer>();

/** The issuer that a CA is. @throws CaStoreError when its key is not here. */
export function issuerOf(ca: CaMaterial): Issuer {
  const { certificate, key, id } = ca;
  if (key === null) throw new CaStoreError(`The key of the CA ${id.slice(0, 16)} is not here.`);
  const known = issuers.get(ca);
  if (known !== undefined) return known;
  const parsed = new x509.X509Certificate(new Uint8Array(certificate));
  const issuer = { name: parsed.subjectName, spki: spkiOf(key), key, certificate: parsed };
  issuers.set(ca, issuer);
  return issuer;
}

/**
 * A self-signed CA certificate for this key, DER. A CA that takes the place of another (`successorOf`) has its name: a certificate by which the one
 * vouches for the other then is self-issued (RFC 5280, 3.2), and the older CA's path length of 0 does not forbid it.
 */
export async function newCaCertificate(key: KeyObject, now: Date, successorOf?: CaMaterial): Promise<Buffer> {
  const spki = spkiOf(key);
  const name =
    successorOf === undefined
      ? `CN=modfleet CA ${randomBytes(4).toString('hex')}`
      : new x509.X509Certificate(new Uint8Array(successorOf.certificate)).subjectName;
  const extensions = [new x509.BasicConstraintsExtension(true, 0, true), new x509.KeyUsagesExtension(CA_USAGE, true)];
  return (await issue({ subject: name, lifeMs: CA_LIFE_MS, now, extensions }, spki, { name, spki, key })).der;
}

/**
 * The certificate by which `older` vouches for `newer`: the newer one's name, key and key id, signed by the older. Who trusts the older one finds its way
 * to what the newer one issues. DER; ends when the first of both does.
 */
export async function vouchFor(newer: CaMaterial, older: CaMaterial, now: Date): Promise<Buffer> {
  const parsed = new x509.X509Certificate(new Uint8Array(newer.certificate));
  const keyId = parsed.getExtension(x509.SubjectKeyIdentifierExtension);
  const extensions = [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(CA_USAGE, true),
    ...(keyId === null ? [] : [new x509.SubjectKeyIdentifierExtension(keyId.keyId)]),
  ];
  const lifeMs = newer.notAfter.getTime() - now.getTime();
  const terms = { subject: parsed.subjectName, lifeMs, now, extensions };
  return (await issue(terms, Buffer.from(parsed.publicKey.rawData), issuerOf(older))).der;
}

/**
 * Who will not find the way from `older` to `newer`, in one sentence; undefined: everybody does. A CA with a path length of 0 may only be followed by CAs
 * of its own name (RFC 5280, 6.1.4); agents look at signatures, names and key ids, other TLS clients at this, too.
 */
export function pathNote(newer: CaMaterial, older: CaMaterial): string | undefined {
  const [next, before] = [newer, older].map((ca) => new x509.X509Certificate(new Uint8Array(ca.certificate)));
  const limit = before?.getExtension(x509.BasicConstraintsExtension)?.pathLength;
  if (limit === undefined || limit > 0 || next?.subject === before?.subject) return undefined;
  return `The new CA has another name (${next?.subject}) than the present one (${before?.subject}), which allows none of another name below it: give people and programs that verify the API the new STATE_DIR/ca/ca.crt before "rotate issue". Agents are not concerned.`;
}

/** PEM of several certificates, in their order. */
export function pemOf(certificates: readonly Uint8Array[]): string {
  return certificates.map(certificatePem).join('');
}
