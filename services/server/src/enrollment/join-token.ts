import { createHash, randomBytes } from 'node:crypto';

const PREFIX = 'mfj_';
const SECRET_BYTES = 32;
/** Characters of a token that lists may show: 8 of the secret leave 210 bits unknown. */
const SHOWN_CHARACTERS = PREFIX.length + 8;

export interface MintedJoinToken {
  /** The secret; shown once, stored nowhere. */
  readonly token: string;
  readonly prefix: string;
  readonly hash: Buffer;
}

/** A new join token: `mfj_` and 256 random bits. */
export function mintJoinToken(): MintedJoinToken {
  const token = PREFIX + randomBytes(SECRET_BYTES).toString('base64url');
  return { token, prefix: token.slice(0, SHOWN_CHARACTERS), hash: hashJoinToken(token) };
}

/** SHA-256: the token has 256 random bits, so nothing slower is needed. */
export function hashJoinToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
