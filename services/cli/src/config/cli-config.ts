import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { CliError, usageError } from '../errors/cli-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { readConfigFile, type ConfigFile } from './config-file.ts';
import { shellWord } from '../output/words.ts';
import { allowsPlainHttp } from './plain-http.ts';
import type { Environment } from './environment.ts';

/** Where the API is when a token is given and nothing says where: the server's default listener. */
export const DEFAULT_URL = 'http://127.0.0.1:7780';

/** What is needed to call the API. */
export interface Settings {
  /** Without a slash at its end. */
  readonly url: string;
  /** Empty: none; to sign in. */
  readonly token: string;
  /** How to sign in again, once the sign-in has ended. */
  readonly again?: string | undefined;
  /** PEM of the CA that signs the API's certificate; undefined: the system's. */
  readonly ca: string | undefined;
  /** Somebody has said that passwords and tokens may go over http to another machine. */
  readonly insecureHttp?: boolean | undefined;
  /** Where url and token came from, for errors. */
  readonly source: string;
}

/**
 * Settings from, in this order: MODFLEET_URL, MODFLEET_TOKEN or MODFLEET_TOKEN_FILE, MODFLEET_CA_FILE; the user's file; the clone's file.
 * A token goes only to the server that it was stored for: MODFLEET_URL with another address than the file's takes nothing from that file.
 *
 * @throws CliError exit code 4 when there is no token, 2 when a file or address is wrong.
 */
export function loadSettings(environment: Environment): Settings {
  const { env } = environment;
  const envUrl = env['MODFLEET_URL'] ? normalUrl(env['MODFLEET_URL'], 'MODFLEET_URL') : undefined;
  const envToken = tokenFromEnvironment(env);
  const file = fileFor(environment, envToken !== undefined);
  const fileUrl = file && normalUrl(file.url, file.path);
  const url = envUrl ?? fileUrl ?? (envToken === undefined ? undefined : DEFAULT_URL);
  const usable = file !== undefined && fileUrl === url ? file : undefined;
  const token = envToken ?? (usable && tokenOfFile(usable));
  if (url === undefined || token === undefined) throw noToken(url, file);
  const caFile = env['MODFLEET_CA_FILE'] || usable?.caFile;
  const ca = caFile ? readText(caFile, 'the CA certificate') : undefined;
  const insecureHttp = allowsPlainHttp(env) || usable?.insecureHttp;
  if (envToken !== undefined) return { url, token, ca, insecureHttp, source: 'the environment' };
  return { url, token, ca, insecureHttp, source: usable?.path ?? '', again: usable && againOf(usable) };
}

/** The first file that is there; one that holds no token, as `logout` leaves it, hides no other that holds one. */
function fileFor({ userFile, cloneFile }: Environment, hasToken: boolean): ConfigFile | undefined {
  const files = [userFile, cloneFile].map(readConfigFile).filter((found) => found !== undefined);
  const held = files.find(({ token, tokenFile }) => (token ?? tokenFile) !== undefined);
  return (hasToken ? undefined : held) ?? files[0];
}

/** An http or https address without a slash at its end. */
export function normalUrl(text: string, where: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw usageError(
      `${where}: ${JSON.stringify(text)} is no address of an API`,
      'an address looks like http://127.0.0.1:7780 or https://modfleet.example.com',
    );
  }
  if (url.username !== '' || url.password !== '')
    throw usageError(`${where}: an address holds no user name or password`, 'run: modfleet login');
  return (url.origin + url.pathname).replace(/\/+$/, '').replace(/\/api\/v1$/, '');
}

/** The text of a file, or a sentence that names it. */
export function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError(`cannot read ${what} from ${path}: ${reason}`, { exitCode: EXIT.usage, cause: error });
  }
}

/** A token as typed or read: blanks around it dropped; anything that cannot stand in a header is refused here. */
export function checkToken(text: string, where: string): string {
  const token = text.trim();
  if (token === '')
    throw new CliError(`${where} holds no token`, { exitCode: EXIT.auth, hints: ['run: modfleet login'] });
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new CliError(`${where} holds something else than one token`, {
      exitCode: EXIT.auth,
      hints: ['run: modfleet login'],
    });
  return token;
}

/** What was typed to sign in the last time. */
export function againOf({ user, signIn }: Pick<ConfigFile, 'user' | 'signIn'>): string {
  if (signIn === 'oidc') return 'modfleet login --oidc';
  return user === undefined ? 'modfleet login' : `modfleet login --user ${shellWord(user)}`;
}

function tokenFromEnvironment(env: Environment['env']): string | undefined {
  if (env['MODFLEET_TOKEN']) return checkToken(env['MODFLEET_TOKEN'], 'MODFLEET_TOKEN');
  const file = env['MODFLEET_TOKEN_FILE'];
  return file ? checkToken(readText(file, 'the token'), file) : undefined;
}

function tokenOfFile(file: ConfigFile): string | undefined {
  if (file.token !== undefined) return checkToken(file.token, file.path);
  if (file.tokenFile === undefined) return undefined;
  const path = resolve(file.path, '..', file.tokenFile);
  return checkToken(readText(path, 'the token'), path);
}

function noToken(url: string | undefined, file: ConfigFile | undefined): CliError {
  const hasToken = file?.token !== undefined || file?.tokenFile !== undefined;
  const elsewhere = hasToken && url !== undefined ? ` (the token in ${file.path} is for ${file.url})` : '';
  return new CliError(url === undefined ? 'no server is known' : `no token is known for ${url}${elsewhere}`, {
    exitCode: EXIT.auth,
    hints: [
      'run: modfleet login',
      'or, in a clone, start a server of your own: npm start',
      'more: modfleet help environment',
    ],
  });
}
