import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto';
import { openBox, sealBox } from '../keys/sealed-box.ts';

/**
 * Seals what is kept where others may write: rows of Postgres, cookies of a browser, a command line that waits. The key is outside the database
 * (STATE_DIR/keys/seal.key), so that a row that somebody wrote, changed or copied to another account does not open.
 *
 * `context` says what the text is and whose: what was sealed as one thing never opens as another.
 */
export class Sealing {
  readonly #boxKey: KeyObject;
  readonly #macKey: KeyObject;

  /** @param key 32 bytes: `ServerKeys.sealKey('access')`. */
  constructor(key: KeyObject) {
    this.#boxKey = derived(key, 'modfleet-sign-in-box-v1');
    this.#macKey = derived(key, 'modfleet-sign-in-mac-v1');
  }

  /** Encrypts and authenticates. */
  box(context: readonly string[], text: string): Buffer {
    return sealBox(this.#boxKey, text, encoded(context));
  }

  /** @returns undefined for what was not sealed here under this context. */
  unbox(context: readonly string[], box: Uint8Array): string | undefined {
    try {
      return openBox(this.#boxKey, box, encoded(context));
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

function derived(key: KeyObject, purpose: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', key, '', purpose, 32)));
}

/** JSON, because two lists of fields never have the same text. */
function encoded(context: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(context));
}
