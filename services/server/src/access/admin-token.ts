import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AuditSource } from '../audit/audit.model.ts';
import { AppError } from '../errors/app-error.ts';
import type { ApiTokenService } from './api-token.service.ts';
import { bearerToken, hashToken } from './api-token.ts';

const FILE_NAME = 'admin-token';
/** There once the bootstrap was closed: no start makes an admin token any more. */
const CLOSED_NAME = 'admin-token.closed';
/** What of a token lists show, and revocation takes. */
const SHOWN_CHARACTERS = 12;

type Tokens = Pick<ApiTokenService, 'create' | 'has' | 'revoke'>;

/**
 * Makes sure that STATE_DIR/admin-token (mode 0600) holds a token of this database: made at the first start, made anew when the database is another one. A
 * token that somebody revoked stays revoked, and is not replaced.
 *
 * @returns the path of the file; null when the bootstrap was closed.
 */
export async function ensureAdminToken(stateDir: string, tokens: Tokens): Promise<string | null> {
  if ((await textOf(join(stateDir, CLOSED_NAME))) !== '') return null;
  const path = join(stateDir, FILE_NAME);
  const present = await tokenIn(path);
  if (present !== undefined && (await tokens.has(hashToken(present)))) return path;
  await put(path, (await tokens.create('admin', null)).token);
  return path;
}

/**
 * Another token in the place of the one in the file, which ends. The new one is in the file before the old one is worthless: a crash between leaves both good.
 *
 * @throws AppError forbidden when the bootstrap was closed.
 */
export async function rotateAdminToken(stateDir: string, tokens: Tokens, source: AuditSource): Promise<string> {
  if ((await textOf(join(stateDir, CLOSED_NAME))) !== '')
    throw new AppError(
      'forbidden',
      'the admin token was closed: make a token with "modfleet-server token create --name NAME"',
    );
  const path = join(stateDir, FILE_NAME);
  const before = await tokenIn(path);
  await put(path, (await tokens.create('admin', null, source)).token);
  if (before !== undefined) await end(before, tokens, source);
  return path;
}

/** Ends the token in the file, takes the file away, and no start makes another. */
export async function closeAdminToken(stateDir: string, tokens: Tokens, source: AuditSource): Promise<void> {
  const path = join(stateDir, FILE_NAME);
  const before = await tokenIn(path);
  // First: a start in between makes no other.
  await put(
    join(stateDir, CLOSED_NAME),
    'No admin token is made at a start any more. Delete this file to have one made again.',
  );
  if (before !== undefined) await end(before, tokens, source);
  await rm(path, { force: true });
}

/** One that is of another database, or has ended, is no fault. */
async function end(token: string, tokens: Tokens, source: AuditSource): Promise<void> {
  try {
    await tokens.revoke(token.slice(0, SHOWN_CHARACTERS), source);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'not_found') throw error;
  }
}

async function tokenIn(path: string): Promise<string | undefined> {
  return bearerToken(`Bearer ${(await textOf(path)).trim()}`) ?? undefined;
}

/** For the server's user alone, at no moment for others, never in part. */
async function put(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.new`;
  try {
    await writeFile(draft, `${text}\n`, { mode: 0o600, flag: 'wx' });
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
