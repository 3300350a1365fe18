import type { LoggedOut } from '@modfleet/server/api-types';
import { readText } from '../config/cli-config.ts';
import { readConfigFile } from '../config/config-file.ts';
import { allowsPlainHttp } from '../config/plain-http.ts';
import { storeConfig } from '../config/store.ts';
import type { Context } from '../context.ts';
import { ApiError } from '../errors/api-errors.ts';
import { CliError } from '../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';

export interface LogoutOptions {
  readonly local?: boolean;
}

/** A sign-in's secret, as opposed to an API token's. */
const SIGN_IN = /^mfs_/;

/** `modfleet logout`: ends the sign-in at the server, then forgets it here. Address and CA stay. */
export async function logout(context: Context, options: LogoutOptions): Promise<ExitCode> {
  const { io, environment } = context;
  const file = readConfigFile(environment.userFile);
  if (file?.token === undefined)
    throw new CliError('nobody is signed in: there is no token in the settings of this user', {
      exitCode: EXIT.auth,
      hints: [`they are kept in ${environment.userFile}`],
    });
  const { url, token, caFile, insecureHttp } = file;
  const isSignIn = SIGN_IN.test(token);
  if (isSignIn && options.local !== true) {
    const ca = caFile === undefined ? undefined : readText(caFile, 'the CA certificate');
    const plain = insecureHttp === true || allowsPlainHttp(io.env);
    await end(context, { url, token, ca, insecureHttp: plain, source: file.path });
  }
  storeConfig(environment.userFile, { url, ca_file: caFile, insecure_http: insecureHttp && 'true' });
  io.err.write(
    isSignIn
      ? options.local === true
        ? `Forgotten here. At ${url} it lasts until it ends by itself: modfleet sessions end ID\n`
        : `Signed out of ${url}.\n`
      : `The API token is forgotten here. It stays good until it is revoked.\n`,
  );
  return EXIT.ok;
}

async function end(context: Context, settings: Parameters<Context['apiWith']>[0]): Promise<void> {
  try {
    await context.apiWith(settings).post<LoggedOut>('/logout', {});
  } catch (error) {
    if (error instanceof ApiError && error.problem.code === 'session_ended') return;
    if (error instanceof CliError && error.exitCode === EXIT.unreachable)
      throw new CliError(error.message, {
        exitCode: error.exitCode,
        hints: ['nothing was forgotten; to forget it here only: modfleet logout --local'],
        cause: error,
      });
    throw error;
  }
}
