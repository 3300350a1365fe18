import { createHash, randomBytes } from 'node:crypto';

const PREFIX = 'mfl_';
const SECRET_BYTES = 32;
const GRAMMAR = /^mfl_[A-Za-z0-9_-]{43}$/;
/** Characters of a token that lists may show: 8 of the secret leave 210 bits unknown. */
const SHOWN_CHARACTERS = PREFIX.length + 8;

export interface MintedToken {
  /** The secret; shown once, stored nowhere. */
  readonly token: string;
  readonly prefix: string;
  readonly hash: Buffer;
}

/** A new API token: `mfl_` and 256 random bits. */
export function mintApiToken(): MintedToken {
  const token = PREFIX + randomBytes(SECRET_BYTES).toString('base64url');
  return { token, prefix: token.slice(0, SHOWN_CHARACTERS), hash: hashToken(token) };
}

/** SHA-256 is enough here: the token has 256 bits, there is nothing to guess. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/**
 * The token in an Authorization header.
 *
 * @returns undefined for no header; null for one that is not a bearer token of ours.
 */
export function bearerToken(header: string | undefined): string | null | undefined {
  if (header === undefined || header === '') return undefined;
  const token = /^Bearer +(\S+)$/i.exec(header)?.[1];
  return token !== undefined && GRAMMAR.test(token) ? token : null;
}
