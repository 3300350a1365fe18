import { generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { certificatePem, issue, privateKeyFromPem, spkiOf, x509 } from './x509.ts';

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
const CA_DAYS = 3650;

/**
 * Reads the CA below `folder`, or makes one. Two processes that start at once agree on one: the first to link its file wins.
 *
 * @throws CaStoreError when the files do not belong together or cannot be read.
 */
export async function openCaStore(folder: string, now: Date): Promise<CaMaterial> {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    const fresh = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const key = privateKeyFromPem(
      writeOnce(join(folder, 'ca.key'), fresh.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600),
    );
    const name = `CN=modfleet CA ${randomBytes(4).toString('hex')}`;
    const certificatePemText = writeOnce(
      join(folder, 'ca.crt'),
      certificatePem(await selfSigned(key, name, now)),
      0o644,
    );
    const certificate = new X509Certificate(certificatePemText);
    if (!certificate.checkPrivateKey(key))
      throw new CaStoreError(`${folder}: ca.key and ca.crt do not belong together; restore both from one backup`);
    return {
      key,
      certificate: certificate.raw,
      name: new x509.X509Certificate(new Uint8Array(certificate.raw)).subject,
    };
  } catch (error) {
    if (error instanceof CaStoreError) throw error;
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
  return (await issue({ subject: name, days: CA_DAYS, now, extensions }, spki, { name, spki, key })).der;
}

/** Puts `text` at `path` unless something is there; returns what is there. Synced before it is visible, never visible in part. */
function writeOnce(path: string, text: string, mode: number): string {
  const existing = readIfThere(path);
  if (existing !== undefined) return existing;
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const file = openSync(temporary, 'wx', mode);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    linkSync(temporary, path);
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return readFileSync(path, 'utf8');
  } finally {
    unlinkSync(temporary);
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
