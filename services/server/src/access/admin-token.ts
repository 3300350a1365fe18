import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AuditSource } from '../audit/audit.model.ts';
import { AppError } from '../errors/app-error.ts';
import type { ApiTokenService } from './api-token.service.ts';
import { bearerToken, hashToken } from './api-token.ts';

const FILE_NAME = 'admin-token';
/** There once the bootstrap was closed: no start makes an admin token any more. */
const CLOSED_NAME = 'admin-token.closed';

type Tokens = Pick<ApiTokenService, 'createBootstrap' | 'endBootstrap' | 'has'>;

/**
 * Makes sure that STATE_DIR/admin-token (mode 0600) holds a token of this database: made at the first start, made anew when the database is another one, or the
 * file was lost. A token that somebody revoked stays revoked, and is not replaced.
 *
 * @returns the path of the file; null when the bootstrap was closed.
 */
export async function ensureAdminToken(stateDir: string, tokens: Tokens): Promise<string | null> {
  if (await isClosed(stateDir)) return null;
  const path = join(stateDir, FILE_NAME);
  const present = await tokenIn(path);
  if (present !== undefined && (await tokens.has(hashToken(present)))) return path;
  // Asked again with the lock that closing takes after its mark: nothing is made behind its back.
  await tokens.createBootstrap(
    async () => !(await isClosed(stateDir)),
    (secret) => put(path, secret),
  );
  return (await isClosed(stateDir)) ? null : path;
}

/**
 * Another token in the place of all that were made for the file, which end, whatever the file holds or became of it. The new one is written beside the file
 * before it is good, and takes its place after the others have ended: killed between the two, the file holds a token that has ended, and rotating again mends that.
 *
 * @returns the path, and the shown beginnings of what ended. @throws AppError forbidden when the bootstrap was closed.
 */
export async function rotateAdminToken(
  stateDir: string,
  tokens: Tokens,
  source: AuditSource,
): Promise<{ readonly path: string; readonly ended: readonly string[] }> {
  if (await isClosed(stateDir))
    throw new AppError(
      'forbidden',
      'the admin token was closed: make a token with "modfleet-server token create --name NAME"',
    );
  const path = join(stateDir, FILE_NAME);
  const draft = draftOf(path);
  try {
    const ended = await tokens.endBootstrap(await tokenIn(path), (secret) => write(draft, secret), source);
    await rename(draft, path);
    return { path, ended };
  } finally {
    await rm(draft, { force: true });
  }
}

/** Ends all tokens that were made for the file, takes the file away, and no start makes another. @returns the shown beginnings of what ended. */
export async function closeAdminToken(
  stateDir: string,
  tokens: Tokens,
  source: AuditSource,
): Promise<readonly string[]> {
  const path = join(stateDir, FILE_NAME);
  const held = await tokenIn(path);
  // First: a start in between makes no other.
  await put(
    join(stateDir, CLOSED_NAME),
    'No admin token is made at a start any more. Delete this file to have one made again.',
  );
  const ended = await tokens.endBootstrap(held, undefined, source);
  await rm(path, { force: true });
  return ended;
}

async function isClosed(stateDir: string): Promise<boolean> {
  return (await textOf(join(stateDir, CLOSED_NAME))) !== '';
}

async function tokenIn(path: string): Promise<string | undefined> {
  return bearerToken(`Bearer ${(await textOf(path)).trim()}`) ?? undefined;
}

/** At no moment for others, never in part. */
async function put(path: string, text: string): Promise<void> {
  const draft = draftOf(path);
  try {
    await write(draft, text);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

function draftOf(path: string): string {
  return `${path}.${process.pid}.new`;
}

/** For the server's user alone. A draft that a killed process of the same number left is in nobody's way. */
async function write(file: string, text: string): Promise<void> {
  await rm(file, { force: true });
  await writeFile(file, `${text}\n`, { mode: 0o600, flag: 'wx' });
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
