import { argon2, type Argon2Parameters, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/** What one computation costs. */
export interface Argon2Cost {
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
}

/**
 * RFC 9106 section 4, the second recommended option (64 MiB, 3 passes, 4 lanes), for machines that cannot give 2 GiB to each sign-in. Node computes the
 * lanes one after the other, in libuv's pool: some 300 ms of one core, and never the event loop.
 */
export const CURRENT_COST: Argon2Cost = { memoryKib: 65_536, passes: 3, lanes: 4 };

/** 128 bits and 256 bits, as RFC 9106 recommends. */
const SALT_BYTES = 16;
const TAG_BYTES = 32;
/** Argon2 version 1.3, the only one that node:crypto computes. */
const VERSION = 19;

const PHC = /^\$argon2id\$v=19\$m=(\d{1,8}),t=(\d{1,4}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,171})$/;

const compute = promisify((parameters: Argon2Parameters, done: (error: Error | null, tag: Buffer) => void) =>
  argon2('argon2id', parameters, done),
);

/** @returns the PHC string of a password under a fresh salt. */
export async function hashPassword(password: string, cost: Argon2Cost = CURRENT_COST): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  return phcOf(salt, await compute(parameters(password, salt, cost, TAG_BYTES)), cost);
}

export function phcOf(salt: Buffer, tag: Buffer, { memoryKib, passes, lanes }: Argon2Cost): string {
  return `$argon2id$v=${VERSION}$m=${memoryKib},t=${passes},p=${lanes}$${unpadded(salt)}$${unpadded(tag)}`;
}

/**
 * Compares in constant time.
 *
 * @returns `outdated`: hashed at another cost than `current`; hash anew while the password is at hand.
 * @throws Error for what is no PHC string of argon2id.
 */
export async function verifyPassword(
  password: string,
  phc: string,
  current: Argon2Cost = CURRENT_COST,
): Promise<{ matches: boolean; outdated: boolean }> {
  const match = PHC.exec(phc);
  if (match === null) throw new Error('not a PHC string of argon2id');
  const cost = { memoryKib: Number(match[1]), passes: Number(match[2]), lanes: Number(match[3]) };
  const stored = Buffer.from(match[5] ?? '', 'base64');
  const tag = await compute(parameters(password, Buffer.from(match[4] ?? '', 'base64'), cost, stored.length));
  const { memoryKib, passes, lanes } = current;
  return {
    matches: timingSafeEqual(tag, stored),
    outdated: cost.memoryKib !== memoryKib || cost.passes !== passes || cost.lanes !== lanes,
  };
}

/** The same password typed on another keyboard may come decomposed: RFC 8265 (OpaqueString) compares in NFC. */
function parameters(password: string, nonce: Buffer, cost: Argon2Cost, tagLength: number): Argon2Parameters {
  return {
    message: password.normalize('NFC'),
    nonce,
    parallelism: cost.lanes,
    tagLength,
    memory: cost.memoryKib,
    passes: cost.passes,
  };
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '');
}
