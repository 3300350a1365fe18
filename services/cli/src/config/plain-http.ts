import { usageError } from '../errors/cli-error.ts';
import type { Environment } from './environment.ts';

/** What says that plain http is meant, where no option does. */
const SETTING = 'MODFLEET_INSECURE_HTTP';

export function allowsPlainHttp(env: Environment['env']): boolean {
  return env[SETTING] === '1' || env[SETTING] === 'true';
}

/**
 * Passwords and tokens go over http to this machine alone, unless somebody has said that they may go further.
 *
 * @throws CliError
 */
export function refusePlainHttp(url: string, allowed: boolean | undefined): void {
  const { protocol, hostname, port } = new URL(url);
  if (protocol === 'https:' || allowed === true || isLoopback(hostname)) return;
  throw usageError(
    `${url} is not encrypted: everybody on the way there could read passwords and tokens, so none is sent`,
    `encrypted: modfleet login --url ${url.replace(/^http:/, 'https:')}`,
    `or through a tunnel: ssh -L 7780:127.0.0.1:${port || '80'} ${hostname}, then --url http://127.0.0.1:7780`,
    `or, if all of the way is yours: modfleet login --url ${url} --insecure-http, or ${SETTING}=1`,
  );
}

/** As URL writes hosts: IPv4 in four numbers, IPv6 in brackets. */
function isLoopback(hostname: string): boolean {
  return /^127(\.\d+){3}$/.test(hostname) || hostname === '[::1]' || /^(.+\.)?localhost$/.test(hostname);
}
