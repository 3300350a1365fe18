import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { ConfigError } from './server-config.ts';

/** What `--settings FILE` before a command says: the environment with the file's settings, and what is left of the command line. */
export interface Told {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly args: readonly string[];
}

/**
 * Settings as NAME=VALUE lines, as systemd's EnvironmentFile and docker's --env-file have them. They go before the environment: somebody has named them just now.
 *
 * @throws ConfigError
 */
export function toldSettings(args: readonly string[], environment: Told['environment'] = process.env): Told {
  const [first = '', second, ...rest] = args;
  if (first !== '--settings' && !first.startsWith('--settings=')) return { environment, args };
  const joined = first.startsWith('--settings=');
  const file = joined ? first.slice('--settings='.length) : second;
  if (file === undefined || file === '')
    throw new ConfigError(['--settings needs a file: modfleet-server --settings FILE COMMAND']);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError([
      `--settings: cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`,
    ]);
  }
  return { environment: { ...environment, ...parseEnv(text) }, args: joined ? args.slice(1) : rest };
}
