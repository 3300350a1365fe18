import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type CaMaterial, caMaterial, CaStoreError } from './ca-certificate.ts';
import { x509 } from './x509.ts';

/** Files of a CA that the operator gives (MODFLEET_CA_CERT_FILE and its like); this server reads them and never writes them. */
export interface GivenCa {
  readonly certFile: string;
  readonly keyFile: string;
  /** File with the passphrase of the key; null: the key is not encrypted. */
  readonly passphraseFile: string | null;
}

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/**
 * Reads a CA that the operator gives. It has to be one that hosts can pin, and whose key signs what is here: self-signed, P-256, for signing
 * certificates. Its dates are not looked at: {@link caDatesProblem}.
 *
 * @throws CaStoreError naming the file and the way out.
 */
export function readGivenCa(given: GivenCa): CaMaterial {
  const certificate = readCertificate(given.certFile);
  const key = readKey(given);
  if (!certificate.checkPrivateKey(key))
    throw new CaStoreError(
      `${given.keyFile} is not the key of the certificate in ${given.certFile}: name the key and the certificate of one CA`,
    );
  return caMaterial(certificate.raw, key);
}

/** Why a CA cannot be taken into use now; undefined: its dates are good. */
export function caDatesProblem(certificate: X509Certificate, file: string, now: Date): string | undefined {
  const { validFromDate, validToDate } = certificate;
  if (now > validToDate)
    return `${file}: this CA ended on ${day(validToDate)}: make a certificate that is valid now for its key, or another CA`;
  if (now < validFromDate)
    return `${file}: this CA begins on ${day(validFromDate)} only, and it is ${day(now)}: wait, set the clock, or make its certificate anew`;
  return undefined;
}

function readCertificate(file: string): X509Certificate {
  const found = readText(file).match(PEM) ?? [];
  if (found.length === 0)
    throw new CaStoreError(`${file} holds no certificate in PEM: write it with "openssl x509 -in FILE -outform PEM"`);
  if (found.length > 1)
    throw new CaStoreError(
      `${file} holds ${found.length} certificates: leave the CA's own alone in it; hosts pin the CA, and take no chain`,
    );
  const certificate = parsed(file, found[0] ?? '');
  refuseUnfit(file, certificate);
  return certificate;
}

function parsed(file: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new CaStoreError(`${file}: the certificate in it is damaged: restore the file from its backup`, { cause });
  }
}

function refuseUnfit(file: string, certificate: X509Certificate): void {
  const { extensions, subject } = new x509.X509Certificate(new Uint8Array(certificate.raw));
  const find = <T extends x509.Extension>(kind: new (...args: never[]) => T): T | undefined =>
    extensions.find((extension): extension is T => extension instanceof kind);
  if (find(x509.BasicConstraintsExtension)?.ca !== true)
    throw new CaStoreError(
      `${file}: the certificate of ${subject} is not a CA's (no basicConstraints CA:TRUE): name the CA's certificate, not one that it issued`,
    );
  const usages = find(x509.KeyUsagesExtension)?.usages;
  if (usages === undefined || (usages & x509.KeyUsageFlags.keyCertSign) === 0)
    throw new CaStoreError(
      `${file}: this CA may not sign certificates (no keyUsage keyCertSign): make its certificate with "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"`,
    );
  const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey;
  if (asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new CaStoreError(
      `${file}: the key of this CA is ${asymmetricKeyDetails?.namedCurve ?? asymmetricKeyType}, and hosts take ECDSA on P-256 only: make a CA with "openssl ecparam -name prime256v1 -genkey"`,
    );
  if (!certificate.checkIssued(certificate) || !certificate.verify(certificate.publicKey))
    throw new CaStoreError(
      `${file}: this CA is not self-signed (${certificate.issuer.replaceAll('\n', ', ')} made it), and hosts pin a root: make a root CA for this fleet, or name the root`,
    );
}

function readKey({ keyFile, passphraseFile }: GivenCa): KeyObject {
  const pem = readText(keyFile);
  const isEncrypted = pem.includes('ENCRYPTED');
  if (isEncrypted && passphraseFile === null)
    throw new CaStoreError(
      `${keyFile} is encrypted: name the file with its passphrase in MODFLEET_CA_KEY_PASSPHRASE_FILE (of a new CA: --key-passphrase-file)`,
    );
  const passphrase = isEncrypted && passphraseFile !== null ? readText(passphraseFile).trim() : undefined;
  try {
    return createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase });
  } catch (cause) {
    const why = isEncrypted
      ? `does not open with the passphrase in ${passphraseFile}, or is damaged: give the right passphrase`
      : 'holds no private key in PEM: name the key file of the CA';
    throw new CaStoreError(`${keyFile} ${why}`, { cause });
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error';
    throw new CaStoreError(`${file} cannot be read (${code}): is it there, and may the server's user read it?`, {
      cause: error,
    });
  }
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}
