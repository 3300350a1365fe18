import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CliError } from '../errors/cli-error.ts';
import { EXIT } from '../errors/exit-codes.ts';

/** Writes the user's file: beside its place and moved there, readable by the user only, at no moment by others. Values that are undefined are left out. */
export function storeConfig(path: string, values: Readonly<Record<string, string | undefined>>): void {
  const lines = Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
  const secret = values['token'] === undefined ? '' : ' Holds a secret.';
  const text = `# Written by "modfleet login".${secret}\n${lines.join('')}`;
  const draft = `${path}.${process.pid}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(draft, text, { mode: 0o600, flag: 'wx' });
    chmodSync(draft, 0o600);
    renameSync(draft, path);
  } catch (error) {
    throw new CliError(`cannot write ${path}: ${error instanceof Error ? error.message : String(error)}`, {
      exitCode: EXIT.usage,
      hints: ['or use the environment: MODFLEET_URL and MODFLEET_TOKEN_FILE'],
      cause: error,
    });
  }
}
