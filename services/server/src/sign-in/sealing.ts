import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals what is kept where others may write: rows of Postgres, cookies of a browser, a command line that waits. The key is outside the database
 * (STATE_DIR/keys/seal.key), so that a row that somebody wrote, changed or copied to another account does not open.
 *
 * `context` says what the text is and whose: what was sealed as one thing never opens as another.
 */
export class Sealing {
  readonly #boxKey: Buffer;
  readonly #macKey: Buffer;

  /** @param key 32 bytes: `ServerKeys.sealKey('access')`. */
  constructor(key: Buffer) {
    this.#boxKey = derived(key, 'modfleet-sign-in-box-v1');
    this.#macKey = derived(key, 'modfleet-sign-in-mac-v1');
  }

  /** Encrypts and authenticates. */
  box(context: readonly string[], text: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#boxKey, nonce);
    cipher.setAAD(encoded(context));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
  }

  /** @returns undefined for what was not sealed here under this context. */
  unbox(context: readonly string[], box: Uint8Array): string | undefined {
    if (box.length < NONCE_BYTES + TAG_BYTES) return undefined;
    const decipher = createDecipheriv(ALGORITHM, this.#boxKey, box.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(encoded(context));
    decipher.setAuthTag(box.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    try {
      const sealed = box.subarray(NONCE_BYTES + TAG_BYTES);
      return decipher.update(sealed, undefined, 'utf8') + decipher.final('utf8');
    } catch {
      return undefined;
    }
  }

  /** HMAC-SHA256 over fields that are stored beside it in the clear. */
  mac(context: readonly string[]): Buffer {
    return createHmac('sha256', this.#macKey).update(encoded(context)).digest();
  }

  isMac(context: readonly string[], mac: Uint8Array): boolean {
    const expected = this.mac(context);
    return mac.length === expected.length && timingSafeEqual(mac, expected);
  }
}

function derived(key: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', purpose, 32));
}

/** JSON, because two lists of fields never have the same text. */
function encoded(context: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(context));
}
