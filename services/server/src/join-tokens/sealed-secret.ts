import { hkdfSync } from 'node:crypto';
import { openBox, sealBox } from '../keys/sealed-box.ts';

/*
 * A new join token is answered once, and the same answer again to a retry under the same Idempotency-Key. The stored answer must not hold the
 * secret in the clear: it is sealed under the caller's API token, of which the database has only the hash, and which every retry brings along.
 */

const INFO = 'modfleet-join-string-v1';

/** @param bearer the caller's API token. @param salt the request's Idempotency-Key. */
export function sealSecret(secret: string, bearer: string, salt: string): string {
  return sealBox(keyOf(bearer, salt), secret).toString('base64url');
}

/** @throws Error when it was sealed under another token or key, or changed since. */
export function openSecret(sealed: string, bearer: string, salt: string): string {
  return openBox(keyOf(bearer, salt), Buffer.from(sealed, 'base64url'));
}

function keyOf(bearer: string, salt: string): Buffer {
  return Buffer.from(hkdfSync('sha256', bearer, salt, INFO, 32));
}
