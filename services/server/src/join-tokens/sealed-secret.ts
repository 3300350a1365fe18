import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/*
 * A new join token is answered once, and the same answer again to a retry under the same Idempotency-Key. The stored answer must not hold the
 * secret in the clear: it is sealed under the caller's API token, of which the database has only the hash, and which every retry brings along.
 */

const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const INFO = 'modfleet-join-string-v1';

/** @param bearer the caller's API token. @param salt the request's Idempotency-Key. */
export function sealSecret(secret: string, bearer: string, salt: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, keyOf(bearer, salt), nonce);
  const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url');
}

/** @throws Error when it was sealed under another token or key, or changed since. */
export function openSecret(sealed: string, bearer: string, salt: string): string {
  const bytes = Buffer.from(sealed, 'base64url');
  const decipher = createDecipheriv(ALGORITHM, keyOf(bearer, salt), bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  return decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
}

function keyOf(bearer: string, salt: string): Buffer {
  return Buffer.from(hkdfSync('sha256', bearer, salt, INFO, 32));
}
