import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditSource } from '../audit/audit.model.ts';
import { AppError } from '../errors/app-error.ts';
import { readIfThere, replaceFile } from '../keys/key-files.ts';
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
  if (isClosed(stateDir)) return null;
  const path = join(stateDir, FILE_NAME);
  const present = tokenIn(path);
  if (present !== undefined && (await tokens.has(hashToken(present)))) return path;
  // Asked again with the lock that closing takes after its mark: nothing is made behind its back.
  await tokens.createBootstrap(
    async () => !isClosed(stateDir),
    async (secret) => put(path, secret),
  );
  return isClosed(stateDir) ? null : path;
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
  if (isClosed(stateDir))
    throw new AppError(
      'forbidden',
      'the admin token was closed: make a token with "modfleet-server token create --name NAME"',
    );
  const path = join(stateDir, FILE_NAME);
  const draft = `${path}.${process.pid}.new`;
  try {
    const ended = await tokens.endBootstrap(tokenIn(path), async (secret) => put(draft, secret), source);
    renameSync(draft, path);
    return { path, ended };
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Ends all tokens that were made for the file, takes the file away, and no start makes another. @returns the shown beginnings of what ended. */
export async function closeAdminToken(
  stateDir: string,
  tokens: Tokens,
  source: AuditSource,
): Promise<readonly string[]> {
  const path = join(stateDir, FILE_NAME);
  const held = tokenIn(path);
  // First: a start in between makes no other.
  put(
    join(stateDir, CLOSED_NAME),
    'No admin token is made at a start any more. Delete this file to have one made again.',
  );
  const ended = await tokens.endBootstrap(held, undefined, source);
  rmSync(path, { force: true });
  return ended;
}

function isClosed(stateDir: string): boolean {
  return (readIfThere(join(stateDir, CLOSED_NAME)) ?? '') !== '';
}

function tokenIn(path: string): string | undefined {
  return bearerToken(`Bearer ${(readIfThere(path) ?? '').trim()}`) ?? undefined;
}

/** For the server's user alone, also when root writes it. */
function put(path: string, text: string): void {
  replaceFile(path, `${text}\n`, 0o600);
}
