import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, messageOf } from '../error-words.ts';
import { makePrivateFolder, writeFileAtomically } from '../identity/atomic-file.ts';
import { HelperRefusal } from './helper-refusal.ts';

/** The helper's own list of CA certificates, PEM one after the other, in its state folder. Only root changes it. */
export const TRUSTED_CAS_FILE = 'trusted-cas.pem';

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The CAs whose command certificates are believed here; undefined before any was kept. @throws HelperRefusal when the list cannot be used */
export async function keptCas(stateDir: string): Promise<readonly X509Certificate[] | undefined> {
  const file = path.join(stateDir, TRUSTED_CAS_FILE);
  try {
    const pems = (await readFile(file, 'utf8')).match(PEM) ?? [];
    const cas = pems.map((pem) => new X509Certificate(pem));
    if (cas.length > 0 && cas.every((one) => one.ca)) return cas;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new HelperRefusal('failed', `${file} cannot be used: ${messageOf(error)}`);
  }
  throw new HelperRefusal('failed', `${file} holds no CA certificates; "modfleet-agent join" writes it`);
}

/** Keeps the list in place of the one before; when this resolves it survives a crash. */
export async function keepCas(stateDir: string, cas: readonly X509Certificate[]): Promise<void> {
  await makePrivateFolder(stateDir);
  await writeFileAtomically(path.join(stateDir, TRUSTED_CAS_FILE), cas.map((one) => one.toString()).join(''), 'self');
}

/**
 * What is told is kept where nothing was kept before (trust on first use, as with the host's id); from then on it changes nothing.
 *
 * @throws HelperRefusal
 */
export async function admitCas(
  stateDir: string,
  told: readonly X509Certificate[],
): Promise<readonly X509Certificate[]> {
  const kept = await keptCas(stateDir);
  if (kept !== undefined) return kept;
  if (told.length > 0) await keepCas(stateDir, told);
  return told;
}
