/**
 * The CAs of this server on disk.
 *
 * INVARIANTS
 * - set.json is the truth, and is replaced whole: after a crash it holds the set before or after a step. What is written before it (a key) harms nobody
 *   without it; what is erased after it nobody needs any more, and what a crash left of either is removed when the store is opened (ca-leftovers.ts).
 * - A set is used only with the key of the CA that issues, and that key fits.
 * - Files that an operator gives are read, never written.
 */
import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { KeyFileError, openPrivateKey, readIfThere, replaceFile, writeOnce } from '../keys/key-files.ts';
import { caId, type CaMaterial, caMaterial, CaStoreError, newCaCertificate, pemOf } from './ca-certificate.ts';
import { type CaRecord, type CaSet, caSetSchema, issuingCa, shortId, trustedCas } from './ca-set.ts';
import { keyFilesIn, sweepKeys } from './ca-leftovers.ts';
import { returnable } from './ca-set.machine.ts';
import { readStep } from './ca-step-file.ts';
import { caDatesProblem, type GivenCa, readGivenCa } from './given-ca.ts';
import { BACKDATE_MS, certificatePem } from './x509.ts';

/** Where the CAs are, and how their keys open. */
export interface CaStoreOptions {
  readonly folder: string;
  /** Encrypts the key files in the folder. */
  readonly passphrase: string | undefined;
  /** The CA that the operator gives. */
  readonly given?: GivenCa | undefined;
  /** A folder that holds no CA yet is refused: only a server that starts makes one. */
  readonly mustBeThere?: boolean;
}

/** The set as it was read, with what its trusted CAs are, the one that issues first. */
export interface OpenCas {
  readonly set: CaSet;
  /** set.json as it was read: another text is another set. */
  readonly text: string;
  readonly trusted: readonly CaMaterial[];
  /** Ids of CAs, former ones too, whose keys are kept and do not open. */
  readonly unusable: ReadonlySet<string>;
  /** What a person should know of how it was opened. */
  readonly notes: readonly string[];
}

const SET_FILE = 'set.json';
/** The CAs to trust, PEM, for people's programs: what `modfleet login --ca-file` wants. */
const TRUST_FILE = 'ca.crt';
const FIRST_KEY = 'ca.key';

/**
 * Reads the CAs below the folder, or makes the first one. Processes that start at once agree on one: the first to link its file wins.
 *
 * @throws CaStoreError, KeyFileError
 */
export async function openCaStore(options: CaStoreOptions, now: Date): Promise<OpenCas> {
  try {
    if (options.mustBeThere === true) refuseEmpty(options.folder);
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    chmodSync(options.folder, 0o700);
    const file = join(options.folder, SET_FILE);
    // In this order: a key that is listed here was named by what is read next, or by what is read after it, unless nothing names it.
    const files = keyFilesIn(options.folder);
    const step = readStep(options.folder);
    const text = readIfThere(file) ?? (await first(options, file, now));
    const set = parse(file, text);
    const strangers = sweepKeys(options.folder, files, step === undefined ? [set] : [set, step.set], now);
    const opened = open(options, set, text);
    writeTrustFile(options.folder, set);
    return { ...opened, notes: [...opened.notes, ...strangers] };
  } catch (error) {
    if (error instanceof CaStoreError || error instanceof KeyFileError) throw error;
    throw new CaStoreError(`The CA in ${options.folder} cannot be used: ${(error as Error).message}`, { cause: error });
  }
}

/** True when a server made a CA here, or was given one. */
export function holdsCa(folder: string): boolean {
  return [SET_FILE, FIRST_KEY].some((name) => readIfThere(join(folder, name)) !== undefined);
}

function refuseEmpty(folder: string): void {
  if (holdsCa(folder)) return;
  throw new CaStoreError(
    `There is no CA in ${folder}: run this on the server's own machine, with its settings (MODFLEET_STATE_DIR), after the server was started once or the folder was put back from its backup`,
  );
}

async function first(options: CaStoreOptions, file: string, now: Date): Promise<string> {
  const text = setText(await firstSet(options, now));
  return writeOnce(file, () => text, 0o600);
}

/** The text of set.json now; undefined: there is none. */
export function readSetText(folder: string): string | undefined {
  return readIfThere(join(folder, SET_FILE));
}

/** Makes this the set. */
export function writeSet(folder: string, set: CaSet): void {
  replaceFile(join(folder, SET_FILE), setText(set), 0o600);
  writeTrustFile(folder, set);
}

/** A CA of which nothing is on the disk yet. */
export interface MadeCa {
  readonly record: CaRecord;
  /** Puts its key there. A file that names it (set.json, step.json) has to be there before: else it is swept away. */
  readonly writeKey: () => void;
}

/** A new CA, to be the next of a set. */
export async function makeNextCa(options: CaStoreOptions, current: CaMaterial, now: Date): Promise<MadeCa> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const certificate = await newCaCertificate(privateKey, now, current);
  const id = caId(certificate);
  const file = `ca-${shortId(id)}.key`;
  return {
    record: record(certificate, { kind: 'own', file }, now),
    writeKey: () => void openPrivateKey(join(options.folder, file), () => privateKey, options.passphrase),
  };
}

export function record(certificate: Buffer, key: CaRecord['key'], since: Date): CaRecord {
  return {
    id: caId(certificate),
    certificate: certificate.toString('base64'),
    key,
    vouchedBy: null,
    since: since.toISOString(),
  };
}

export function setText(set: CaSet): string {
  return `${JSON.stringify(set, null, 2)}\n`;
}

/** A folder from before there were sets has ca.key and ca.crt, and becomes the same set on every machine that has a copy. */
async function firstSet(options: CaStoreOptions, now: Date): Promise<CaSet> {
  const { folder, passphrase, given } = options;
  const trustFile = join(folder, TRUST_FILE);
  const existing = readIfThere(trustFile);
  if (existing === undefined && given !== undefined) {
    const { certificate } = readGivenCa(given);
    const problem = caDatesProblem(new X509Certificate(certificate), given.certFile, now);
    if (problem !== undefined) throw new CaStoreError(problem);
    return setOf(certificate, { kind: 'given', ...given });
  }
  const key = openPrivateKey(join(folder, FIRST_KEY), newKey, passphrase);
  const made = existing ?? certificatePem(await newCaCertificate(key, now));
  const { raw } = new X509Certificate(writeOnce(trustFile, () => made, 0o644));
  return setOf(raw, { kind: 'own', file: FIRST_KEY });
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

function setOf(certificate: Buffer, key: CaRecord['key']): CaSet {
  // Told by the certificate alone; ours begin some minutes before they were made.
  const begins = new X509Certificate(certificate).validFromDate.getTime();
  const since = new Date(key?.kind === 'own' ? begins + BACKDATE_MS : begins);
  const current = record(certificate, key, since);
  const changedAt = since.toISOString();
  return { format: 1, generation: 1, phase: 'single', changedAt, current, next: null, former: [] };
}

function parse(file: string, text: string): CaSet {
  const parsed = caSetSchema.safeParse(asJson(text));
  if (parsed.success) return parsed.data;
  throw new CaStoreError(
    `${file} is damaged or from a newer server: restore the folder from its backup (${parsed.error.issues[0]?.message})`,
  );
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function open(options: CaStoreOptions, set: CaSet, text: string): OpenCas {
  const notes: string[] = [];
  const unusable = new Set<string>();
  const replaced = replacedGiven(options.given, set);
  if (replaced !== undefined) notes.push(replaced);
  const trusted = trustedCas(set).map((ca) => {
    const certificate = Buffer.from(ca.certificate, 'base64');
    try {
      return caMaterial(certificate, keyOf(options, ca, certificate));
    } catch (error) {
      if (ca.id === issuingCa(set).id) throw error;
      unusable.add(ca.id);
      notes.push(`the key of the CA ${shortId(ca.id)} is not usable, and is not used now: ${(error as Error).message}`);
      return caMaterial(certificate, null);
    }
  });
  // Opened for what that does to them, too: a passphrase that was set since encrypts them.
  for (const ca of set.former.filter((each) => each.key !== null)) {
    const problem = problemOf(() => keyOf(options, ca, Buffer.from(ca.certificate, 'base64')));
    if (problem === undefined) continue;
    unusable.add(ca.id);
    if (ca.key?.kind === 'own' || ca.id === returnable(set)?.id)
      notes.push(`the key of the former CA ${shortId(ca.id)} is not usable: ${problem}`);
  }
  return { set, text, trusted, unusable, notes };
}

function problemOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The settings may still name a CA that was replaced: told, not an error. @throws CaStoreError when they name one that hosts do not know. */
function replacedGiven(given: GivenCa | undefined, set: CaSet): string | undefined {
  if (given === undefined) return undefined;
  const { id } = readGivenCa(given);
  if (trustedCas(set).some((ca) => ca.id === id)) return undefined;
  const former = set.former.find((ca) => ca.id === id);
  if (former !== undefined)
    return `MODFLEET_CA_CERT_FILE names the CA ${shortId(id)}, which was ${former.why} on ${former.until.slice(0, 10)}: name the files of ${shortId(set.current.id)} there, or remove the setting`;
  throw new CaStoreError(
    `${given.certFile} (MODFLEET_CA_CERT_FILE) holds another CA than the one that this server's hosts trust (${shortId(set.current.id)}): with it every host would be cut off. ` +
      'Name the files of that one again; to change to this CA, remove the setting, start, and run "modfleet-server ca rotate begin --cert-file FILE --key-file FILE"',
  );
}

function keyOf({ folder, passphrase, given }: CaStoreOptions, ca: CaRecord, certificate: Buffer): KeyObject {
  const source = ca.key;
  if (source === null) throw new CaStoreError(`the key of the CA ${shortId(ca.id)} was erased`);
  if (source.kind === 'own') {
    const file = join(folder, source.file);
    const missing = (): never => {
      throw new CaStoreError(`${file} is missing: restore the folder from its backup`);
    };
    const key = openPrivateKey(file, missing, passphrase);
    if (!new X509Certificate(certificate).checkPrivateKey(key))
      throw new CaStoreError(
        `${file} and the certificate of ${shortId(ca.id)} in ${SET_FILE} do not belong together; restore both from one backup`,
      );
    return key;
  }
  const named = given === undefined ? undefined : readGivenCa(given);
  const material = named?.id === ca.id ? named : readGivenCa(source);
  if (material.id !== ca.id || material.key === null)
    throw new CaStoreError(
      `${source.certFile} holds another CA than the one that this server's hosts trust (${shortId(ca.id)}): put that one's files back; to change the CA, run "modfleet-server ca rotate begin"`,
    );
  return material.key;
}

function writeTrustFile(folder: string, set: CaSet): void {
  const file = join(folder, TRUST_FILE);
  const text = pemOf(trustedCas(set).map((ca) => Buffer.from(ca.certificate, 'base64')));
  if (readIfThere(file) !== text) replaceFile(file, text, 0o644);
}
