import { createSecretKey, generateKeyPairSync, hkdfSync, type KeyObject } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openPrivateKey } from './key-files.ts';

/** What a sealing key is for; each has its own, derived. */
export type SealPurpose = 'access' | 'audit' | 'audit-seal';

/**
 * The keys that are kept outside the database, in STATE_DIR/keys: with database access alone nobody can make a command that a host takes, a right
 * that the server believes, or an audit row that verifies. All replicas of one server share them.
 *
 * - `command.key`: Ed25519, signs what is asked of hosts.
 * - `seal.key`: an X25519 private key, for its 32 random secret bytes only (RFC 7748), so that one kind of file and of encryption serves both;
 *   HKDF (RFC 5869) derives a key for each purpose from them.
 */
export class ServerKeys {
  readonly folder: string;
  readonly #command: () => KeyObject;
  readonly #secret: Buffer;

  private constructor(folder: string, command: () => KeyObject, seal: KeyObject) {
    this.folder = folder;
    this.#command = command;
    this.#secret = Buffer.from(seal.export({ format: 'jwk' }).d ?? '', 'base64url');
  }

  /** Reads the keys below `folder`, or makes them. @param passphrase encrypts the files. @throws KeyFileError */
  static open(folder: string, passphrase: string | undefined): ServerKeys {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    const open = (name: string, type: 'ed25519' | 'x25519') =>
      openPrivateKey(join(folder, name), () => newKey(type), passphrase);
    const command = open('command.key', 'ed25519');
    return new ServerKeys(folder, () => command, open('seal.key', 'x25519'));
  }

  /**
   * Reads what is there and makes nothing. `command.key` may be away, between a stolen one and the next start; what needs it then hears so.
   *
   * @param missing says what to do about a file that is not there.
   */
  static openKept(folder: string, passphrase: string | undefined, missing: (path: string) => never): ServerKeys {
    const open = (name: string) => openPrivateKey(join(folder, name), () => missing(join(folder, name)), passphrase);
    return new ServerKeys(folder, () => open('command.key'), open('seal.key'));
  }

  /** Ed25519, private. */
  get command(): KeyObject {
    return this.#command();
  }

  /** 32 bytes, the same at each call. A KeyObject, because an HMAC under a Buffer makes one each time: 28 µs instead of 3.5 on Node.js 24. */
  sealKey(purpose: SealPurpose): KeyObject {
    return createSecretKey(Buffer.from(hkdfSync('sha256', this.#secret, '', `modfleet-seal-v1 ${purpose}`, 32)));
  }
}

function newKey(type: 'ed25519' | 'x25519'): KeyObject {
  return type === 'ed25519' ? generateKeyPairSync('ed25519').privateKey : generateKeyPairSync('x25519').privateKey;
}
