import { generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import {
  COMMAND_KEY_USAGE,
  commandCertificateName,
  hostUri,
  SERVER_TLS_NAME,
  trustBundleBytes,
  type TrustBundle,
} from '@modfleet/proto';
import { type CaMaterial, issuerOf, pemOf } from './ca-certificate.ts';
import { joiningChain, vouchingChain } from './ca-chain.ts';
import { type CaSet, knownCas, pinnedCa } from './ca-set.ts';
import { type CaStoreOptions, type OpenCas, openCaStore, readSetText } from './ca-store.ts';
import type { GivenCa } from './given-ca.ts';
import { certificatePem, issue, type Issuer, keyFingerprint, P256, spkiOf, uriExtension, x509 } from './x509.ts';
import { hostCertificateSerial } from './certificate-serial.ts';

/** A request that no certificate is issued for; the message is one sentence. */
export class CsrError extends Error {
  readonly code = 'csr_invalid';
}

export interface IssuedCertificate {
  readonly der: Buffer;
  readonly serial: string;
  readonly notAfter: Date;
}

/** A TLS server's key and chain, PEM. `joiningPem`: the chain for machines that look for the CA that their join string pins. */
export interface ServerIdentity {
  readonly keyPem: Buffer;
  readonly certificatePem: Buffer;
  readonly joiningPem: Buffer;
  readonly notAfter: Date;
}

/** Made anew at each start (and after half its time in a process that runs so long), so it may be short. */
const SERVER_CERT_LIFE_MS = 397 * 86_400_000;

/** signing/command-signer.ts says why. */
const COMMAND_CERT_LIFE_MS = 4 * 86_400_000;

/** A command's times are Postgres's, a certificate's this process's: their clocks may part by a day before a host minds. */
const COMMAND_BACKDATE_MS = 24 * 60 * 60 * 1000;

/** A renewal costs a server some 10 ms; twice that leaves room for its other work. A quarter of an hour is never too long to wait for. */
const SPREAD_PER_HOST_MS = 20;
const SPREAD_MAX_MS = 15 * 60_000;

/** What every host's certificate says: no CA, and for TLS clients alone. */
const OF_EACH_HOST = [
  new x509.BasicConstraintsExtension(false, undefined, true),
  new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
  new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth], true),
];

/** A CA of this fleet, also one that was replaced. */
interface KnownCa {
  readonly id: string;
  readonly certificate: X509Certificate;
}

/** Proves a P-256 key of a host in a certificate request. */
export interface VerifiedCsr {
  readonly spki: Buffer;
  readonly keyFingerprint: Buffer;
}

/**
 * Issues every certificate of the fleet, and says which CAs count. The keys stay in this process and where they are kept. During a rotation there are
 * two CAs (ca-set.ts); what is asked here is answered by the one that issues, and `reload` takes a change of the set over.
 */
export class CertificateAuthority {
  readonly #options: CaStoreOptions;
  readonly #now: () => Date;
  readonly #listeners = new Set<() => void>();
  #open: OpenCas;
  /** What follows from `#open`, once it was asked for. */
  #bundle: Omit<TrustBundle, 'spreadMs'> | undefined;
  #known: readonly KnownCa[] | undefined;

  private constructor(options: CaStoreOptions, open: OpenCas, now: () => Date) {
    this.#options = options;
    this.#open = open;
    this.#now = now;
  }

  /** @param passphrase encrypts the key files in the folder. @param given the operator's own CA. @throws CaStoreError, KeyFileError */
  static async open(
    folder: string,
    passphrase?: string,
    now: () => Date = () => new Date(),
    given?: GivenCa,
  ): Promise<CertificateAuthority> {
    const options = { folder, passphrase, given };
    return new CertificateAuthority(options, await openCaStore(options, now()), now);
  }

  /**
   * Takes over what set.json says now, when it changed: whole or not at all. True when it did.
   *
   * @throws CaStoreError, KeyFileError; then everything stays as it was.
   */
  async reload(): Promise<boolean> {
    if (readSetText(this.#options.folder) === this.#open.text) return false;
    this.#open = await openCaStore(this.#options, this.#now());
    this.#bundle = undefined;
    this.#known = undefined;
    for (const listener of this.#listeners) listener();
    return true;
  }

  /** Calls `listener` after each change, until the function that is given back is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  get set(): CaSet {
    return this.#open.set;
  }

  /** What a person should know of how the set was opened. */
  get notes(): readonly string[] {
    return this.#open.notes;
  }

  /** The CAs that are trusted now, the one that issues first. */
  get trusted(): readonly CaMaterial[] {
    return this.#open.trusted;
  }

  /** Certificate of the CA that issues, DER. */
  get certificate(): Buffer {
    return this.#issuing.certificate;
  }

  get certificatePem(): string {
    return certificatePem(this.certificate);
  }

  /** The CAs whose host certificates are taken, PEM. */
  get trustedPem(): string {
    return pemOf(this.trusted.map((ca) => ca.certificate));
  }

  /** SHA-256 over the DER of the CA that join strings pin, base64url. */
  get pin(): string {
    return this.pinFingerprint.toString('base64url');
  }

  get pinFingerprint(): Buffer {
    return Buffer.from(pinnedCa(this.set).id, 'hex');
  }

  /** What hosts are told to trust, signed by the CA that issues. `connected`: hosts that act on it at the same time. */
  bundle(connected = 0): TrustBundle {
    this.#bundle ??= this.#newBundle();
    return { ...this.#bundle, spreadMs: Math.min(SPREAD_MAX_MS, connected * SPREAD_PER_HOST_MS) };
  }

  /** The clock by which certificates are issued and judged, ms since the epoch. */
  nowMs(): number {
    return this.#now().getTime();
  }

  /** A host's certificate: for TLS clients only, CN and URI name the host, the serial number says which of the host's certificates it is. */
  async issueHostCertificate(
    hostId: string,
    spki: Buffer,
    { lifeMs, counter }: { readonly lifeMs: number; readonly counter: number },
  ): Promise<IssuedCertificate> {
    const extensions = [...OF_EACH_HOST, uriExtension(hostUri(hostId))];
    const serial = hostCertificateSerial(counter);
    return issue({ subject: `CN=${hostId}`, lifeMs, serial, now: this.#now(), extensions }, spki, this.#issuer());
  }

  /** A new key and certificate for this server's listeners. `names`: DNS names and IP addresses beside modfleet-server and loopback. */
  async issueServerIdentity(names: readonly string[]): Promise<ServerIdentity> {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const all = [...new Set([SERVER_TLS_NAME, 'localhost', '127.0.0.1', '::1', ...names])];
    const extensions = [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth], true),
      new x509.SubjectAlternativeNameExtension(
        all.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }) as const),
      ),
    ];
    const terms = { subject: `CN=${SERVER_TLS_NAME}`, lifeMs: SERVER_CERT_LIFE_MS, now: this.#now(), extensions };
    const issued = await issue(terms, spkiOf(privateKey), this.#issuer());
    return {
      keyPem: Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })),
      certificatePem: Buffer.from(pemOf([issued.der, ...vouchingChain(this.set), this.certificate])),
      joiningPem: Buffer.from(pemOf([issued.der, ...joiningChain(this.set)])),
      notAfter: issued.notAfter,
    };
  }

  /** A certificate of the key that signs commands: for nothing but that, and for one epoch. */
  async issueCommandCertificate(spki: Buffer, epoch: number): Promise<IssuedCertificate> {
    const extensions = [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([COMMAND_KEY_USAGE], true),
    ];
    const subject = `CN=${commandCertificateName(epoch)}`;
    const terms = {
      subject,
      lifeMs: COMMAND_CERT_LIFE_MS,
      now: this.#now(),
      backdateMs: COMMAND_BACKDATE_MS,
      extensions,
    };
    return issue(terms, spki, this.#issuer());
  }

  /** True when a CA of this fleet signed the certificate, also one that was replaced; whatever its dates say. */
  issued(certificate: X509Certificate): boolean {
    return this.issuerId(certificate) !== undefined;
  }

  /** Id (SHA-256, hex) of the CA of this fleet that signed the certificate. */
  issuerId(certificate: X509Certificate): string | undefined {
    return this.#knownCas().find(
      (ca) => certificate.checkIssued(ca.certificate) && certificate.verify(ca.certificate.publicKey),
    )?.id;
  }

  /** The CAs of this fleet, also those that were replaced: what one of them signed was ours. */
  get known(): readonly X509Certificate[] {
    return this.#knownCas().map(({ certificate }) => certificate);
  }

  /** True when sessions take what this CA (id, hex) issued. */
  trusts(id: string): boolean {
    return this.trusted.some((ca) => ca.id === id);
  }

  /** ECDSA P-256 SHA-256 (IEEE P1363, 64 bytes) by the key of the CA that issues. */
  sign(data: Uint8Array): Buffer {
    const { key } = issuerOf(this.#issuing);
    return sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' });
  }

  #knownCas(): readonly KnownCa[] {
    this.#known ??= knownCas(this.set).map(({ id, certificate }) => ({
      id,
      certificate: new X509Certificate(Buffer.from(certificate, 'base64')),
    }));
    return this.#known;
  }

  #newBundle(): Omit<TrustBundle, 'spreadMs'> {
    const caCertificates = this.trusted.map((ca) => ca.certificate);
    const { generation } = this.set;
    return {
      generation,
      caCertificates,
      vouchingCertificates: vouchingChain(this.set),
      signature: this.sign(trustBundleBytes(generation, caCertificates)),
    };
  }

  get #issuing(): CaMaterial {
    const [issuing] = this.trusted;
    if (issuing === undefined) throw new Error('a set without a CA');
    return issuing;
  }

  #issuer(): Issuer {
    return issuerOf(this.#issuing);
  }
}

/** @throws CsrError when it is no PKCS #10 request of a P-256 key, signed by that key. */
export async function verifyCsr(der: Uint8Array): Promise<VerifiedCsr> {
  let request: x509.Pkcs10CertificateRequest;
  try {
    // The library takes PEM, and bytes behind the end, too.
    if (derLength(der) !== der.length) throw new Error('not one DER value');
    request = new x509.Pkcs10CertificateRequest(new Uint8Array(der));
  } catch (error) {
    throw new CsrError('The certificate request is not PKCS #10 in DER.', { cause: error });
  }
  const algorithm = request.publicKey.algorithm as { name?: string; namedCurve?: string };
  if (algorithm.name !== P256.name || algorithm.namedCurve !== P256.namedCurve)
    throw new CsrError('The key of a certificate request must be ECDSA on P-256.');
  // What it is signed with is of no weight here, but nothing that is made today signs with SHA-1.
  if ((request.signatureAlgorithm as { hash?: { name?: string } }).hash?.name !== P256.hash)
    throw new CsrError('A certificate request must be signed with SHA-256.');
  if (!(await request.verify().catch(() => false)))
    throw new CsrError('The certificate request is not signed by its own key.');
  const spki = Buffer.from(request.publicKey.rawData);
  return { spki, keyFingerprint: keyFingerprint(spki) };
}

/** Length of the DER SEQUENCE that begins here, with its head; 0 where none does (X.690 section 8.1.3). */
function derLength(der: Uint8Array): number {
  const [tag, first = 0] = der;
  if (tag !== 0x30) return 0;
  if (first < 0x80) return 2 + first;
  const size = first & 0x7f;
  return size > 4 ? 0 : 2 + size + der.subarray(2, 2 + size).reduce((length, byte) => length * 256 + byte, 0);
}
