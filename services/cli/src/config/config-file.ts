import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { usageError } from '../errors/cli-error.ts';

/** ~/.config/modfleet/config.yaml, or the clone's .modfleet/cli.yaml. */
export interface ConfigFile {
  readonly path: string;
  readonly url: string;
  readonly token?: string;
  /** Relative to the file's folder. */
  readonly tokenFile?: string;
  readonly caFile?: string;
  /** `true`: passwords and tokens may go over http to another machine. */
  readonly insecureHttp?: true;
  /** Account that has signed in; absent: an API token. */
  readonly user?: string;
  /** password or oidc. */
  readonly signIn?: string;
  /** ISO time at which the sign-in ends in any case. */
  readonly expiresAt?: string;
}

const KEYS = ['url', 'token', 'token_file', 'ca_file', 'insecure_http', 'user', 'sign_in', 'expires_at'];

/** The file's settings; undefined where there is no such file. Flat `key: value` YAML is read here, the rest by the parser, loaded when needed. */
export function readConfigFile(path: string): ConfigFile | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw usageError(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return checkConfig(path, parseFlat(text) ?? parseYaml(path, text));
}

/** Most files are ours and flat: reading them by hand saves 50 ms of loading the YAML parser at each start. Undefined: not that simple. */
function parseFlat(text: string): Record<string, string> | undefined {
  const values: Record<string, string> = {};
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const match = /^([a-z_]+): ([A-Za-z0-9_./][A-Za-z0-9_.:/-]*|"[A-Za-z0-9_.:/@+ -]*")$/.exec(line);
    if (!match?.[1] || match[2] === undefined) return undefined;
    values[match[1]] = match[2].replace(/^"(.*)"$/, '$1');
  }
  return values;
}

function parseYaml(path: string, text: string): unknown {
  const { parse } = createRequire(import.meta.url)('yaml') as typeof import('yaml');
  try {
    return parse(text);
  } catch (error) {
    throw usageError(
      `${path} is no YAML: ${error instanceof Error ? error.message : String(error)}`,
      'correct it, or write it anew: modfleet login',
    );
  }
}

function checkConfig(path: string, value: unknown): ConfigFile {
  const fix = 'correct it, or write it anew: modfleet login';
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw usageError(`${path} holds no settings`, fix);
  const entries = Object.entries(value);
  for (const [key, held] of entries) {
    if (!KEYS.includes(key))
      throw usageError(`${path}: ${JSON.stringify(key)} is no setting; known are ${KEYS.join(', ')}`, fix);
    if (typeof held !== 'string' || held === '')
      throw usageError(`${path}: ${key} must be a text that is not empty`, fix);
  }
  const {
    url,
    token,
    token_file: tokenFile,
    ca_file: caFile,
    insecure_http: insecureHttp,
    user,
    sign_in: signIn,
    expires_at: expiresAt,
  } = Object.fromEntries(entries) as Record<string, string | undefined>;
  if (url === undefined) throw usageError(`${path}: url is missing`, fix);
  if (insecureHttp !== undefined && insecureHttp !== 'true')
    throw usageError(`${path}: insecure_http is "true", or not there`, fix);
  return {
    path,
    url,
    ...(token && { token }),
    ...(tokenFile && { tokenFile }),
    ...(caFile && { caFile }),
    ...(insecureHttp === 'true' && { insecureHttp: true }),
    ...(user && { user }),
    ...(signIn && { signIn }),
    ...(expiresAt && { expiresAt }),
  };
}
