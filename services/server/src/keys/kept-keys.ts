import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerConfig } from '../config/server-config.ts';
import { KeyFileError } from './key-files.ts';
import { ServerKeys } from './server-keys.ts';

/**
 * The keys of a server that was started before. Every command but `serve` gets them here: under new ones it would seal what no server believes.
 *
 * @param otherwise another way out, a sentence.
 * @throws KeyFileError when seal.key is missing, or does not open.
 */
export function openKeptKeys(config: Pick<ServerConfig, 'stateDir' | 'keyPassphrase'>, otherwise?: string): ServerKeys {
  const missing = (path: string): never => refuse(path, config.stateDir, otherwise);
  return ServerKeys.openKept(join(config.stateDir, 'keys'), config.keyPassphrase, missing);
}

/** For what needs to know that this is a server's folder, and not the keys. @throws KeyFileError */
export function requireKeptKeys(stateDir: string): void {
  const path = join(stateDir, 'keys', 'seal.key');
  if (!existsSync(path)) refuse(path, stateDir);
}

function refuse(path: string, stateDir: string, otherwise?: string): never {
  throw new KeyFileError(
    `There is no ${path}, and only a server that starts makes one: run this on the server's own machine, as its user and with its settings ` +
      `(MODFLEET_STATE_DIR; looked in ${stateDir}), after the keys were put back from their backup or the server was started once. ` +
      `${otherwise === undefined ? '' : `${otherwise} `}Nothing was changed.`,
  );
}
