import { createHash, generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { COMMAND_KEY_USAGE, commandCertificateName, hostUri, SERVER_TLS_NAME } from '@modfleet/proto';
import { hostCertificateSerial } from './certificate-serial.ts';
import { type CaMaterial, openCaStore } from './ca-store.ts';
import { certificatePem, issue, keyFingerprint, P256, spkiOf, x509 } from './x509.ts';

/** A request that no certificate is issued for; the message is one sentence. */
export class CsrError extends Error {
  readonly code = 'csr_invalid';
}

export interface IssuedCertificate {
  readonly der: Buffer;
  readonly serial: string;
  readonly notAfter: Date;
}

/** A TLS server's key and chain, PEM. */
export interface ServerIdentity {
  readonly keyPem: Buffer;
  readonly certificatePem: Buffer;
  readonly notAfter: Date;
}

/** Made anew at each start (and after half its time in a process that runs so long), so it may be short. */
const SERVER_CERT_LIFE_MS = 397 * 86_400_000;

/** signing/command-signer.ts says why. */
const COMMAND_CERT_LIFE_MS = 4 * 86_400_000;

/** A command's times are Postgres's, a certificate's this process's: their clocks may part by a day before a host minds. */
const COMMAND_BACKDATE_MS = 24 * 60 * 60 * 1000;

/** Proves a P-256 key of a host in a certificate request. */
export interface VerifiedCsr {
  readonly spki: Buffer;
  readonly keyFingerprint: Buffer;
}

/** Issues every certificate of the fleet. Its key stays in this process and in STATE_DIR/ca. */
export class CertificateAuthority {
  readonly #material: CaMaterial;
  readonly #now: () => Date;

  private constructor(material: CaMaterial, now: () => Date) {
    this.#material = material;
    this.#now = now;
  }

  /** @param passphrase encrypts the key's file. @throws CaStoreError, KeyFileError */
  static async open(
    folder: string,
    passphrase?: string,
    now: () => Date = () => new Date(),
  ): Promise<CertificateAuthority> {
    return new CertificateAuthority(await openCaStore(folder, passphrase, now()), now);
  }

  /** DER. */
  get certificate(): Buffer {
    return this.#material.certificate;
  }

  get certificatePem(): string {
    return certificatePem(this.#material.certificate);
  }

  /** SHA-256 over the certificate's DER, base64url: the pin in a join string. */
  get pin(): string {
    return createHash('sha256').update(this.#material.certificate).digest('base64url');
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
    const extensions = [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth], true),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: hostUri(hostId) }]),
    ];
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
      certificatePem: Buffer.from(certificatePem(issued.der) + this.certificatePem),
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

  /** True when this CA signed the certificate, whatever its dates say. */
  issued(certificate: X509Certificate): boolean {
    const own = new X509Certificate(this.#material.certificate);
    return certificate.checkIssued(own) && certificate.verify(own.publicKey);
  }

  /** ECDSA P-256 SHA-256 (IEEE P1363, 64 bytes) by the CA's key. */
  sign(data: Uint8Array): Buffer {
    return sign('sha256', data, { key: this.#material.key, dsaEncoding: 'ieee-p1363' });
  }

  #issuer(): { name: string; spki: Buffer; key: CaMaterial['key'] } {
    return { name: this.#material.name, spki: spkiOf(this.#material.key), key: this.#material.key };
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
