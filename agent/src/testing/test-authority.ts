import 'reflect-metadata';
import { createHash, generateKeyPairSync, sign, webcrypto } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { COMMAND_KEY_USAGE, SERVER_TLS_NAME, commandCertificateName, hostUri } from '@modfleet/proto';

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;

/** Key and certificate, PEM; the chain of a server has its CA too. */
export interface TestIdentity {
  readonly keyPem: string;
  readonly certificatePem: string;
}

/** When a certificate counts, in days from now. */
export interface TestDates {
  readonly fromDays: number;
  readonly toDays: number;
}

/** What is wrong with a command certificate. */
export interface CommandCertificateChanges {
  readonly name?: string;
  readonly issuer?: string;
  readonly usages?: readonly string[];
  readonly dates?: TestDates;
  readonly isCa?: boolean;
}

const NOW: TestDates = { fromDays: -1, toDays: 30 };

/** A certificate authority for tests. */
export class TestAuthority {
  readonly #key: KeyObject;
  readonly certificatePem: string;
  readonly der: Buffer;

  private constructor(key: KeyObject, certificate: x509.X509Certificate) {
    this.#key = key;
    this.certificatePem = `${certificate.toString('pem')}\n`;
    this.der = Buffer.from(certificate.rawData);
  }

  static async create(name = 'test CA', dates: TestDates = { fromDays: -100, toDays: 100 }): Promise<TestAuthority> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const certificate = await issue(name, name, privateKey, publicKey, dates, [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ]);
    return new TestAuthority(privateKey, certificate);
  }

  /** The pin of a join string. */
  get fingerprint(): Buffer {
    return createHash('sha256').update(this.der).digest();
  }

  /** A server's identity, its chain with the CA at the end. */
  async server(
    options: { readonly dates?: TestDates; readonly name?: string; readonly usage?: string } = {},
  ): Promise<TestIdentity> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const certificate = await issue('server', 'test CA', this.#key, publicKey, options.dates ?? NOW, [
      new x509.ExtendedKeyUsageExtension([options.usage ?? x509.ExtendedKeyUsage.serverAuth], true),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: options.name ?? SERVER_TLS_NAME }]),
    ]);
    return { keyPem: pemOf(privateKey), certificatePem: `${certificate.toString('pem')}\n${this.certificatePem}` };
  }

  /** A host's certificate for a public key (SPKI, DER). */
  async host(hostId: string, spki: Uint8Array, dates = NOW): Promise<Buffer> {
    const publicKey = new x509.PublicKey(new Uint8Array(spki));
    const certificate = await issue(hostId, 'test CA', this.#key, publicKey, dates, [
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth], true),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: hostUri(hostId) }]),
    ]);
    return Buffer.from(certificate.rawData);
  }

  /** A certificate for a public key, as the changes have it; else as a server has it for its commands. */
  async command(publicKey: KeyObject, changes: CommandCertificateChanges = {}): Promise<Buffer> {
    const { name = commandCertificateName(1), usages = [COMMAND_KEY_USAGE], dates = NOW, isCa = false } = changes;
    const certificate = await issue(name, changes.issuer ?? 'test CA', this.#key, publicKey, dates, [
      new x509.BasicConstraintsExtension(isCa, undefined, true),
      new x509.ExtendedKeyUsageExtension([...usages], true),
    ]);
    return Buffer.from(certificate.rawData);
  }

  /** A certificate by which this CA vouches for another, DER. */
  async vouchFor(other: TestAuthority): Promise<Buffer> {
    const publicKey = new x509.X509Certificate(new Uint8Array(other.der)).publicKey;
    const certificate = await issue('test CA', 'test CA', this.#key, publicKey, NOW, [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ]);
    return Buffer.from(certificate.rawData);
  }

  /** Signs as the CA (P1363). */
  sign(bytes: Uint8Array): Buffer {
    return sign('sha256', bytes, { key: this.#key, dsaEncoding: 'ieee-p1363' });
  }
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

async function issue(
  subject: string,
  issuer: string,
  issuerKey: KeyObject,
  subjectKey: KeyObject | x509.PublicKey,
  dates: TestDates,
  extensions: x509.Extension[],
): Promise<x509.X509Certificate> {
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    issuerKey.export({ type: 'pkcs8', format: 'der' }),
    P256,
    true,
    ['sign'],
  );
  const spki =
    subjectKey instanceof x509.PublicKey
      ? subjectKey
      : new x509.PublicKey(new Uint8Array(subjectKey.export({ type: 'spki', format: 'der' })));
  const now = Date.now();
  return x509.X509CertificateGenerator.create({
    subject: `CN=${subject}`,
    issuer: `CN=${issuer}`,
    notBefore: new Date(now + dates.fromDays * DAY_MS),
    notAfter: new Date(now + dates.toDays * DAY_MS),
    publicKey: spki,
    signingKey,
    signingAlgorithm: P256,
    extensions,
  });
}
