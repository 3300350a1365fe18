/** What a person carries to a new host: the join token and the pin of the CA, in one word. */
export interface JoinString {
  /** Secret; `mfj_` and 43 base64url characters (32 random bytes). */
  readonly token: string;
  /** SHA-256 of the CA certificate's DER, 32 bytes. */
  readonly caFingerprint: Uint8Array;
}

/** The text is no join string. The message never repeats the text: it holds a secret. */
export class JoinStringError extends Error {
  readonly code = 'join_string_invalid';
  constructor(reason: string) {
    super(`${reason}; a join string looks like mfj_….…, as "modfleet join-tokens create" prints it`);
    this.name = 'JoinStringError';
  }
}

const TOKEN = /^mfj_[A-Za-z0-9_-]{43}$/;
const FINGERPRINT = /^[A-Za-z0-9_-]{43}$/;

/** `mfj_<43 base64url>.<43 base64url of the CA's SHA-256>`. */
export function formatJoinString(join: JoinString): string {
  return `${join.token}.${Buffer.from(join.caFingerprint).toString('base64url')}`;
}

/** Reads a join string; white space around it is ignored. @throws JoinStringError */
export function parseJoinString(text: string): JoinString {
  const parts = text.trim().split('.');
  const [token = '', fingerprint = ''] = parts;
  if (token === '') throw new JoinStringError('the join string is empty');
  if (!TOKEN.test(token)) throw new JoinStringError('the join string has no valid token');
  if (parts.length !== 2) throw new JoinStringError('the join string has no CA fingerprint, or more than one');
  if (!FINGERPRINT.test(fingerprint)) throw new JoinStringError("the join string's CA fingerprint is damaged");
  return { token, caFingerprint: Buffer.from(fingerprint, 'base64url') };
}
