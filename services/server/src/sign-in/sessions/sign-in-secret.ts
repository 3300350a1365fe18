import { createHash, randomBytes } from 'node:crypto';

const PREFIX = 'mfs_';
const SECRET_BYTES = 32;
export const SIGN_IN_SECRET = /^mfs_[A-Za-z0-9_-]{43}$/;

/** A new secret of a sign-in: `mfs_` and 256 random bits. */
export function mintSignInSecret(): { readonly secret: string; readonly hash: Buffer } {
  const secret = PREFIX + randomBytes(SECRET_BYTES).toString('base64url');
  return { secret, hash: hashSignInSecret(secret) };
}

/** SHA-256 is enough: there is nothing to guess in 256 random bits. */
export function hashSignInSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
