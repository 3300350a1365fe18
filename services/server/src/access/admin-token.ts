import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApiTokenService } from './api-token.service.ts';
import { bearerToken, hashToken } from './api-token.ts';

const FILE_NAME = 'admin-token';

/**
 * Makes sure that STATE_DIR/admin-token (mode 0600) holds a token of this database: made at the first start, made anew when the database is another one. A
 * token that somebody revoked stays revoked, and is not replaced.
 *
 * @returns the path of the file.
 */
export async function ensureAdminToken(stateDir: string, tokens: ApiTokenService): Promise<string> {
  const path = join(stateDir, FILE_NAME);
  const present = bearerToken(`Bearer ${(await readFile(path, 'utf8').catch(emptyWhenMissing)).trim()}`);
  if (typeof present === 'string' && (await tokens.has(hashToken(present)))) return path;
  const { token } = await tokens.create('admin', null);
  const draft = `${path}.${process.pid}.new`;
  try {
    await writeFile(draft, `${token}\n`, { mode: 0o600, flag: 'wx' });
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  return path;
}

function emptyWhenMissing(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return '';
  throw error;
}
