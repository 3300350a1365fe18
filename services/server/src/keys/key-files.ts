import { createPrivateKey, type KeyObject, randomBytes } from 'node:crypto';
import {
  closeSync,
  fchownSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** A key file that is there and cannot be used. The message names it and the way out. */
export class KeyFileError extends Error {
  readonly code = 'key_unusable';
}

/** Key files belong to the server alone. */
const KEY_MODE = 0o600;

/** RFC 8018 PBES2 with AES-256. The derivation is Node's (PBKDF2, 2,048 rounds): the passphrase has to be random, not a word. */
const CIPHER = 'aes-256-cbc';

/**
 * The private key at `path` (PKCS #8, PEM, 0600); made when there is none. Two processes that start at once agree on one. With a passphrase the file
 * is encrypted, also one that was not before.
 *
 * @throws KeyFileError
 */
export function openPrivateKey(path: string, make: () => KeyObject, passphrase: string | undefined): KeyObject {
  const pem = writeOnce(path, () => pemOf(make(), passphrase), KEY_MODE);
  const isEncrypted = pem.includes('ENCRYPTED PRIVATE KEY');
  if (isEncrypted && passphrase === undefined)
    throw new KeyFileError(`${path} is encrypted: name the file with its passphrase in MODFLEET_KEY_PASSPHRASE_FILE`);
  let key: KeyObject;
  try {
    key = createPrivateKey(isEncrypted ? { key: pem, passphrase: passphrase ?? '' } : pem);
  } catch (cause) {
    const why = isEncrypted
      ? 'does not open with the passphrase of MODFLEET_KEY_PASSPHRASE_FILE, or is damaged'
      : 'holds no private key';
    throw new KeyFileError(`${path} ${why}: give the right passphrase, or restore the file from its backup`, { cause });
  }
  if (passphrase !== undefined && !isEncrypted) replaceFile(path, pemOf(key, passphrase), KEY_MODE);
  return key;
}

function pemOf(key: KeyObject, passphrase: string | undefined): string {
  const plain = { type: 'pkcs8', format: 'pem' } as const;
  return key.export(passphrase === undefined ? plain : { ...plain, cipher: CIPHER, passphrase }).toString();
}

/** Puts a text at `path` unless something is there; returns what is there. Synced before it is visible, never visible in part. */
export function writeOnce(path: string, make: () => string, mode: number): string {
  const existing = readIfThere(path);
  if (existing !== undefined) return existing;
  const text = make();
  const draft = writeDraft(path, text, mode);
  try {
    linkSync(draft, path);
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return readFileSync(path, 'utf8');
  } finally {
    unlinkSync(draft);
  }
}

/** Puts a text at `path`, whatever is there: after a crash it holds the old text or the new one. */
export function replaceFile(path: string, text: string, mode: number): void {
  const draft = writeDraft(path, text, mode);
  try {
    renameSync(draft, path);
  } catch (error) {
    unlinkSync(draft);
    throw error;
  }
}

export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** What root writes (a command on the server's machine) belongs to the server all the same. */
function giveToFolderOwner(file: number, path: string): void {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = statSync(dirname(path));
  if (uid !== 0) fchownSync(file, uid, gid);
}

/** A synced file beside `path`. */
function writeDraft(path: string, text: string, mode: number): string {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const file = openSync(draft, 'wx', mode);
  try {
    giveToFolderOwner(file, path);
    writeSync(file, text);
    fsyncSync(file);
  } catch (error) {
    unlinkSync(draft);
    throw error;
  } finally {
    closeSync(file);
  }
  return draft;
}
