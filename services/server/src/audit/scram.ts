import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

/** What PostgreSQL itself takes. */
const ITERATIONS = 4096;

/**
 * A password as `ALTER ROLE … PASSWORD` may carry it: as the SCRAM verifier that PostgreSQL would store (RFC 5803), so that the password is in no log of
 * statements. Beyond printable ASCII the normalising is PostgreSQL's, and the password goes as it is.
 */
export function passwordForStorage(password: string, salt = randomBytes(16)): string {
  if (!/^[\x20-\x7e]+$/.test(password)) return password;
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256');
  const keyed = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(keyed('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${keyed('Server Key').toString('base64')}`;
}
