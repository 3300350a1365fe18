import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { HostList } from '@modfleet/server/api-types';
import { checkToken, DEFAULT_URL, normalUrl, readText } from '../config/cli-config.ts';
import { readConfigFile } from '../config/config-file.ts';
import type { Context } from '../context.ts';
import { CliError, usageError } from '../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { count } from '../output/words.ts';

export interface LoginOptions {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly caFile?: string;
}

/** `modfleet login`: a token is stored only after the server has accepted it. */
export async function login(context: Context, options: LoginOptions): Promise<ExitCode> {
  const { io, environment } = context;
  const stored = readConfigFile(environment.userFile);
  const url = normalUrl(options.url ?? (io.env['MODFLEET_URL'] || (stored?.url ?? DEFAULT_URL)), '--url');
  const caFile = options.caFile ?? (io.env['MODFLEET_CA_FILE'] || (stored?.url === url ? stored.caFile : undefined));
  const ca = caFile === undefined ? undefined : readText(caFile, 'the CA certificate');
  const token = await readToken(context, url, options.tokenFile);
  const answer = await context.apiWith({ url, token, ca, source: 'login' }).get<HostList>('/hosts', { limit: 1 });
  store(environment.userFile, { url, token, ...(caFile === undefined ? {} : { ca_file: resolve(caFile) }) });
  io.err.write(
    `Logged in to ${url}: ${count(answer.coverage.total, 'host')} in the fleet. Kept in ${environment.userFile}\n`,
  );
  const shadowing = ['MODFLEET_URL', 'MODFLEET_TOKEN', 'MODFLEET_TOKEN_FILE'].filter((name) => io.env[name]);
  if (shadowing.length > 0) io.err.write(`Mind: ${shadowing.join(' and ')} in the environment goes first.\n`);
  return EXIT.ok;
}

async function readToken(context: Context, url: string, file: string | undefined): Promise<string> {
  const { input } = context.io;
  if (file === '-') return checkToken(await input.readAll(), 'standard input');
  if (file !== undefined) return checkToken(readText(file, 'the token'), file);
  if (!input.isTty)
    throw usageError(
      'there is no terminal to ask for the token on',
      'give it: modfleet login --token-file FILE (or - for standard input)',
    );
  return checkToken(await input.readLine(`Token for ${url} (not shown): `, true), 'what was typed');
}

/** Written beside its place and moved there, readable by the user only, at no moment by others. */
function store(path: string, values: Readonly<Record<string, string>>): void {
  const text = `# Written by "modfleet login". Holds a secret.\n${Object.entries(values)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
    .join('')}`;
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
