/**
 * Which CAs the helper believes, and how that changes. The courier is in between, and is not trusted.
 *
 * INVARIANTS
 * - The rule is the resident agent's own (identity/trust.ts): a bundle counts only when a CA that is believed here signed it, or one for which such a CA
 *   vouches; none that is older than the last. So a courier that plants, replays or withholds one adds nobody.
 * - What a bundle dropped is not believed from then on, by commands that follow on the same connection either.
 * - What is believed is on the disk first: root's file, replaced whole and synced. Where that fails, what was believed before stays.
 */
import { readFile } from 'node:fs/promises';
import type { X509Certificate } from 'node:crypto';
import path from 'node:path';
import type { TrustBundle } from '@modfleet/proto';
import type { ActionLog } from '../actions/action-host.ts';
import { codeOf, messageOf } from '../error-words.ts';
import { makePrivateFolder, writeFileAtomically } from '../identity/atomic-file.ts';
import { type BundleReading, certificatesIn, readBundle, type TrustedCas } from '../identity/trust.ts';
import { HelperRefusal } from './helper-refusal.ts';

/** The helper's own list in its state folder: a line "generation N" (none: 0), then CA certificates, PEM, the one that issues first. */
export const TRUSTED_CAS_FILE = 'trusted-cas.pem';

/** The CAs whose command certificates are believed here; undefined before any was kept. @throws HelperRefusal when the list cannot be used */
export async function keptCas(stateDir: string): Promise<TrustedCas | undefined> {
  const file = path.join(stateDir, TRUSTED_CAS_FILE);
  try {
    const text = await readFile(file, 'utf8');
    const cas = certificatesIn(text);
    const generation = generationIn(text);
    if (generation !== undefined && cas.length > 0 && cas.every((one) => one.ca)) return { generation, cas };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new HelperRefusal('failed', `${file} cannot be used: ${messageOf(error)}`);
  }
  throw new HelperRefusal('failed', `${file} holds no CA certificates; "modfleet-agent join" writes it`);
}

/** Keeps the list in place of the one before; when this resolves it survives a crash. */
export async function keepCas(stateDir: string, { generation, cas }: TrustedCas): Promise<void> {
  await makePrivateFolder(stateDir);
  const text = [`generation ${generation}\n`, ...cas.map((one) => one.toString())].join('');
  await writeFileAtomically(path.join(stateDir, TRUSTED_CAS_FILE), text, 'self');
}

/**
 * What is told is kept where nothing was kept before (trust on first use, as with the host's id); from then on it changes nothing.
 *
 * @throws HelperRefusal
 */
export async function admitCas(stateDir: string, told: readonly X509Certificate[]): Promise<TrustedCas> {
  const kept = await keptCas(stateDir);
  if (kept !== undefined) return kept;
  const first = { generation: 0, cas: told };
  if (told.length > 0) await keepCas(stateDir, first);
  return first;
}

/** What is believed after a bundle was heard: `keep` has resolved for it, or it is what was believed before. Never rejects. */
export async function learnCas(
  trust: TrustedCas,
  bundle: TrustBundle,
  log: Pick<ActionLog, 'info' | 'warn' | 'error'>,
  keep: (next: TrustedCas) => Promise<void>,
): Promise<TrustedCas> {
  const { generation } = bundle;
  const reading = read(trust, bundle);
  if (reading.kind === 'same') return trust;
  if (reading.kind === 'refused') {
    log.warn({ generation }, `what the courier hands over of the CAs to trust is refused: ${reading.reason}`);
    return trust;
  }
  try {
    await keep(reading.trust);
  } catch (error) {
    log.error({ generation }, `the CAs to trust cannot be kept, and those of before stay: ${messageOf(error)}`);
    return trust;
  }
  const cas = reading.trust.cas.map((ca) => ca.fingerprint256.replaceAll(':', '').slice(0, 16).toLowerCase());
  log.info({ generation, cas }, 'commands of other CAs are believed from now on');
  return reading.trust;
}

/** A courier may hand over anything. */
function read(trust: TrustedCas, bundle: TrustBundle): BundleReading {
  try {
    return readBundle(trust, bundle);
  } catch (error) {
    return { kind: 'refused', reason: `it cannot be read: ${messageOf(error)}` };
  }
}

/** Undefined: what is before the certificates is nothing that we write. */
function generationIn(text: string): number | undefined {
  const head = text.slice(0, Math.max(0, text.indexOf('-----BEGIN'))).trim();
  if (head === '') return 0;
  const generation = Number(/^generation (\d+)$/.exec(head)?.[1]);
  return Number.isSafeInteger(generation) ? generation : undefined;
}
