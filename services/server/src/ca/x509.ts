import 'reflect-metadata';
import { createHash, createPublicKey, type KeyObject, randomBytes, sign, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import * as asn1 from 'asn1js';

x509.cryptoProvider.set(webcrypto as unknown as Crypto);

type Crypto = Parameters<typeof x509.cryptoProvider.set>[0];
/** Elliptic curve of every key here: P-256 is what TLS stacks and hardware agree on. */
export const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** Certificates begin 5 minutes before now: a host's clock may be a little behind. */
export const BACKDATE_MS = 5 * 60_000;

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
  readonly extensions: readonly EncodedExtension[];
}

/** An extension in DER, as the library's own are too. */
export interface EncodedExtension {
  readonly rawData: ArrayBuffer;
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

/**
 * Issues a certificate for `spki`; with its own name and key as the issuer it is self-signed.
 *
 * RFC 5280, 4.1, put together from parts that are encoded already. Rejected: the library's own generator, which encodes, parses and compares everything anew (4.8 ms of
 * processor a certificate, this 1.1): a fleet of ten thousand that joins wants ten thousand.
 */
export async function issue(
  terms: CertificateTerms,
  spki: Uint8Array,
  issuer: Issuer,
): Promise<{ readonly der: Buffer; readonly serial: string; readonly notAfter: Date }> {
  const serial = terms.serial ?? newSerial();
  const notBefore = new Date(terms.now.getTime() - (terms.backdateMs ?? BACKDATE_MS));
  const notAfter = new Date(endOf(terms, issuer));
  const extensions = [...terms.extensions, ...subjectKeyId(terms.extensions, spki), await issuerKeyId(issuer)];
  const body = sequence(
    VERSION_3,
    integer(serial),
    ECDSA_WITH_SHA256,
    encodedName(issuer.name),
    sequence(time(notBefore), time(notAfter)),
    encodedName(terms.subject),
    raw(spki),
    explicitly(3, sequence(...extensions.map(({ rawData }) => raw(new Uint8Array(rawData))))),
  );
  const bytes = Buffer.from(body.toBER());
  const signature = sign('sha256', bytes, { key: issuer.key, dsaEncoding: 'der' });
  const der = Buffer.from(sequence(raw(bytes), ECDSA_WITH_SHA256, bits(signature)).toBER());
  return { der, serial, notAfter };
}

/** A host's or server's URI as the only subject alternative name (RFC 5280, 4.2.1.6). */
export function uriExtension(uri: string): EncodedExtension {
  const name = new asn1.Primitive({
    idBlock: { tagClass: CONTEXT_CLASS, tagNumber: 6 },
    valueHex: bytesOf(Buffer.from(uri, 'latin1')),
  });
  const value = new asn1.OctetString({ valueHex: sequence(name).toBER() });
  return { rawData: sequence(new asn1.ObjectIdentifier({ value: '2.5.29.17' }), value).toBER() };
}

type Block = asn1.BaseBlock | asn1.RawData;

const CONTEXT_CLASS = 3;
/** RFC 5280, 4.1.2.5: dates through 2049 are UTCTime. */
const GENERALIZED_FROM_YEAR = 2050;

function sequence(...value: Block[]): asn1.Sequence {
  return new asn1.Sequence({ value } as ConstructorParameters<typeof asn1.Sequence>[0]);
}

/** What is encoded already. The library's own class for it writes nothing when it is a part of something (asn1js 3.1.0). */
class Encoded extends asn1.RawData {
  override toBER(sizeOnly?: boolean, writer?: asn1.ViewWriter): ArrayBuffer {
    if (writer === undefined) return super.toBER(sizeOnly);
    writer.write(sizeOnly === true ? new ArrayBuffer(this.dataView.byteLength) : this.data);
    return new ArrayBuffer(0);
  }
}

function raw(bytes: Uint8Array): Block {
  return new Encoded({ data: bytesOf(bytes) });
}

function explicitly(tagNumber: number, value: Block): Block {
  return new asn1.Constructed({
    idBlock: { tagClass: CONTEXT_CLASS, tagNumber },
    value: [value],
  } as ConstructorParameters<typeof asn1.Constructed>[0]);
}

/** @param hex of a positive number */
function integer(hex: string): Block {
  const digits = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  const first = digits.findIndex((byte) => byte !== 0);
  const bytes = first === -1 ? Buffer.from([0]) : digits.subarray(first);
  const isNegative = ((bytes[0] ?? 0) & 0x80) !== 0;
  return new asn1.Integer({ valueHex: bytesOf(isNegative ? Buffer.concat([Buffer.from([0]), bytes]) : bytes) });
}

function time(valueDate: Date): Block {
  return valueDate.getUTCFullYear() < GENERALIZED_FROM_YEAR
    ? new asn1.UTCTime({ valueDate })
    : new asn1.GeneralizedTime({ valueDate: new Date(Math.floor(valueDate.getTime() / 1_000) * 1_000) });
}

function bits(bytes: Uint8Array): Block {
  return new asn1.BitString({ valueHex: bytesOf(bytes) });
}

function encodedName(name: CertificateName): Block {
  return raw(new Uint8Array((typeof name === 'string' ? new x509.Name(name) : name).toArrayBuffer()));
}

/** A copy: what is cut out of a larger buffer would bring all of that along. */
function bytesOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

const VERSION_3 = explicitly(0, new asn1.Integer({ value: 2 }));
/** RFC 5758, 3.2: without parameters. */
const ECDSA_WITH_SHA256 = sequence(new asn1.ObjectIdentifier({ value: '1.2.840.10045.4.3.2' }));

/** ms since the epoch. Not past the issuer's own end; one that has ended already by this clock (it may be wrong) limits nothing. */
function endOf({ now, lifeMs }: CertificateTerms, issuer: Issuer): number {
  const wanted = now.getTime() + lifeMs;
  const ends = issuer.certificate?.notAfter.getTime() ?? wanted;
  return ends > now.getTime() ? Math.min(wanted, ends) : wanted;
}

/** Bytes of an uncompressed point on P-256 (SEC 1, 2.3.3), with which its subject public key info ends (RFC 5480, 2). */
const POINT_BYTES = 65;

function subjectKeyId(extensions: readonly EncodedExtension[], spki: Uint8Array): EncodedExtension[] {
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
