import { resolve } from 'node:path';
import type { HostList } from '@modfleet/server/api-types';
import { checkToken, DEFAULT_URL, normalUrl, readText } from '../config/cli-config.ts';
import { readConfigFile } from '../config/config-file.ts';
import { allowsPlainHttp, refusePlainHttp } from '../config/plain-http.ts';
import { storeConfig } from '../config/store.ts';
import type { Context } from '../context.ts';
import { usageError } from '../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { clock } from '../output/time.ts';
import { count } from '../output/words.ts';
import { signInByDevice } from './device.ts';
import { signInByPassword } from './password.ts';

export interface LoginOptions {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly caFile?: string;
  readonly insecureHttp?: boolean;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly newPasswordFile?: string;
  readonly oidc?: boolean;
}

/** Where to sign in. */
export interface Target {
  readonly url: string;
  /** PEM. */
  readonly ca: string | undefined;
  readonly insecureHttp: boolean;
}

/** `modfleet login`: whatever it is, it is stored only after the server has accepted it. */
export async function login(context: Context, options: LoginOptions): Promise<ExitCode> {
  const { io, environment } = context;
  const ways = [options.user, options.oidc, options.tokenFile].filter((each) => each !== undefined);
  if (ways.length > 1) throw usageError('--user, --oidc and --token-file are three ways to sign in: choose one');
  if (options.user === undefined && (options.passwordFile ?? options.newPasswordFile) !== undefined)
    throw usageError('a password belongs to an account', 'say whose: modfleet login --user NAME --password-file FILE');
  const stored = readConfigFile(environment.userFile);
  const url = normalUrl(options.url ?? (io.env['MODFLEET_URL'] || (stored?.url ?? DEFAULT_URL)), '--url');
  const caFile = options.caFile ?? (io.env['MODFLEET_CA_FILE'] || (stored?.url === url ? stored.caFile : undefined));
  const ca = caFile === undefined ? undefined : readText(caFile, 'the CA certificate');
  const saidSo = options.insecureHttp === true || (stored?.url === url && stored.insecureHttp === true);
  const insecureHttp = saidSo || allowsPlainHttp(io.env);
  // Before anybody types a secret.
  refusePlainHttp(url, insecureHttp);
  const keep = (values: Record<string, string>) =>
    storeConfig(environment.userFile, {
      url,
      ...values,
      ca_file: caFile === undefined ? undefined : resolve(caFile),
      insecure_http: saidSo ? 'true' : undefined,
    });
  const target = { url, ca, insecureHttp };
  if (options.user === undefined && options.oidc === undefined) {
    const token = await readToken(context, url, options.tokenFile);
    const answer = await context.apiWith({ ...target, token, source: 'login' }).get<HostList>('/hosts', { limit: 1 });
    keep({ token });
    const fleet = count(answer.coverage.total, 'host');
    io.err.write(`Logged in to ${url}: ${fleet} in the fleet. Kept in ${environment.userFile}\n`);
  } else {
    const done =
      options.user === undefined
        ? await signInByDevice(context, target)
        : await signInByPassword(context, target, options.user, options);
    keep({
      token: done.secret ?? '',
      user: done.account.name,
      sign_in: options.user === undefined ? 'oidc' : 'password',
      expires_at: done.expiresAt,
    });
    const until = clock(done.expiresAt, io.now(), io.timeZone);
    io.err.write(
      `Signed in to ${url} as ${done.account.name}, until ${until} at the latest. Kept in ${environment.userFile}\n`,
    );
  }
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
      'or sign in as a person: modfleet login --user NAME --password-file FILE',
    );
  return checkToken(await input.readLine(`Token for ${url} (not shown): `, true), 'what was typed');
}
