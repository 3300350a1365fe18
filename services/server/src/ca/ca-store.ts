import { generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { KeyFileError, openPrivateKey, writeOnce } from '../keys/key-files.ts';
import { certificatePem, issue, spkiOf, x509 } from './x509.ts';

/** The CA's key and certificate, as kept in STATE_DIR/ca: ca.key (0600) and ca.crt. */
export interface CaMaterial {
  readonly key: KeyObject;
  readonly certificate: Buffer;
  readonly name: string;
}

/** The folder holds something that is no CA of ours. */
export class CaStoreError extends Error {
  readonly code = 'ca_unusable';
}

/** Ten years: the CA is pinned by every host, and changing it is an operation of its own. */
const CA_LIFE_MS = 3650 * 86_400_000;

/**
 * Reads the CA below `folder`, or makes one. Two processes that start at once agree on one: the first to link its file wins.
 *
 * @param passphrase encrypts the key's file.
 * @throws CaStoreError when the files do not belong together or cannot be read; KeyFileError when the key does not open.
 */
export async function openCaStore(folder: string, passphrase: string | undefined, now: Date): Promise<CaMaterial> {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    const key = openPrivateKey(
      join(folder, 'ca.key'),
      () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
      passphrase,
    );
    const name = `CN=modfleet CA ${randomBytes(4).toString('hex')}`;
    const made = certificatePem(await selfSigned(key, name, now));
    const certificatePemText = writeOnce(join(folder, 'ca.crt'), () => made, 0o644);
    const certificate = new X509Certificate(certificatePemText);
    if (!certificate.checkPrivateKey(key))
      throw new CaStoreError(`${folder}: ca.key and ca.crt do not belong together; restore both from one backup`);
    return {
      key,
      certificate: certificate.raw,
      name: new x509.X509Certificate(new Uint8Array(certificate.raw)).subject,
    };
  } catch (error) {
    if (error instanceof CaStoreError || error instanceof KeyFileError) throw error;
    throw new CaStoreError(`The CA in ${folder} cannot be used: ${(error as Error).message}`, { cause: error });
  }
}

async function selfSigned(key: KeyObject, name: string, now: Date): Promise<Buffer> {
  const spki = spkiOf(key);
  const usage = x509.KeyUsageFlags;
  const extensions = [
    new x509.BasicConstraintsExtension(true, 0, true),
    new x509.KeyUsagesExtension(usage.keyCertSign | usage.cRLSign | usage.digitalSignature, true),
  ];
  return (await issue({ subject: name, lifeMs: CA_LIFE_MS, now, extensions }, spki, { name, spki, key })).der;
}
