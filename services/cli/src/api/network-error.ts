import { CliError } from '../errors/cli-error.ts';
import { EXIT } from '../errors/exit-codes.ts';

/** The cause kept in a CliError for a failed exchange. */
export class NetworkCause extends Error {
  readonly code: string;
  /** True when the connection was there and ended: the request may have been carried out. */
  readonly lost: boolean;
  constructor(code: string, lost: boolean, cause: unknown) {
    super(code, { cause });
    this.name = 'NetworkCause';
    this.code = code;
    this.lost = lost;
  }
}

const LOST = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'that name is not known',
  EAI_AGAIN: 'that name cannot be looked up now',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  ETIMEDOUT: 'the connection timed out',
  UND_ERR_CONNECT_TIMEOUT: 'the connection timed out',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  EPIPE: 'the connection was cut',
};

const TLS = /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_|ERR_TLS_|ERR_SSL_|EPROTO)/;

/** What a failed fetch means to the person who typed the command. A CliError passes through. */
export function networkError(error: unknown, url: string, signal: AbortSignal): Error {
  if (error instanceof CliError) return error;
  if (signal.aborted) return new CliError('interrupted', { exitCode: EXIT.interrupted, cause: error });
  if (error instanceof Error && error.name === 'TimeoutError') {
    return new CliError(`${url} did not answer in time`, {
      exitCode: EXIT.timeout,
      hints: ['try again, or look at the server: its /readyz says what is wrong'],
      cause: error,
    });
  }
  const code = codeOf(error);
  const cause = new NetworkCause(code, LOST.has(code), error);
  if (TLS.test(code)) {
    return new CliError(`${url} shows a certificate that is not trusted (${code})`, {
      exitCode: EXIT.unreachable,
      hints: [
        'name the CA that signed it: MODFLEET_CA_FILE=/path/ca.pem',
        'or store it: modfleet login --url URL --ca-file /path/ca.pem',
      ],
      cause,
    });
  }
  return new CliError(`cannot reach the server at ${url}: ${WORDS[code] ?? code}`, {
    exitCode: EXIT.unreachable,
    hints: ['start one in this clone: npm start', 'or use another: modfleet login --url URL'],
    cause,
  });
}

/** fetch says "fetch failed" and keeps the reason below, sometimes several: the first code on the way down, else the deepest sentence. */
function codeOf(error: unknown, depth = 0): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && typeof error.code === 'string') return error.code;
  const below: unknown = error instanceof AggregateError ? error.errors[0] : error.cause;
  return below instanceof Error && depth < 5 ? codeOf(below, depth + 1) : error.message;
}
