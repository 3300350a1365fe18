import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What of the machine the settings depend on. The only reader of process.env. */
export interface Environment {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's own file; written by `login`. */
  readonly userFile: string;
  /** Written by `npm start` in the clone that this file belongs to. */
  readonly cloneFile: string;
}

export function readEnvironment(): Environment {
  const env = process.env;
  const base = env['XDG_CONFIG_HOME'] || join(homedir(), '.config');
  const clone = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..');
  return { env, userFile: join(base, 'modfleet', 'config.yaml'), cloneFile: join(clone, '.modfleet', 'cli.yaml') };
}
