import {
  type Authenticator,
  connect,
  credsAuthenticator,
  errors,
  type NatsConnection,
  nkeyAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import type { NatsConfig, NatsCredentials } from '../config/bus-config.ts';

/** Name lookup, TCP, TLS and the NATS greeting; on a bad line too. */
const CONNECT_TIMEOUT_MS = 5_000;
/** A silent network death is noticed within three of these. */
const PING_INTERVAL_MS = 5_000;

/** One connection, to the first of the servers that takes it. It is not made anew by itself. @throws Error of the library: {@link natsProblem} explains it. */
export function openNats(config: NatsConfig, name: string): Promise<NatsConnection> {
  return connect({
    name,
    servers: [...config.servers],
    reconnect: false,
    timeout: CONNECT_TIMEOUT_MS,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: 2,
    ...(config.credentials === null ? {} : { authenticator: authenticator(config.credentials) }),
    ...(config.tls ? { tls: config.caFile === null ? {} : { caFile: config.caFile } } : {}),
  });
}

function authenticator(credentials: NatsCredentials): Authenticator {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  switch (credentials.kind) {
    case 'creds':
      return credsAuthenticator(bytes(credentials.text));
    case 'nkey':
      return nkeyAuthenticator(bytes(credentials.seed));
    case 'password':
      return usernamePasswordAuthenticator(credentials.user, credentials.password);
  }
}

/** What is wrong, and what to do about it. */
export function natsProblem(error: unknown, config: Pick<NatsConfig, 'servers' | 'credentials'>): string {
  const where = config.servers.join(', ');
  if (error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError)
    return config.credentials === null
      ? `the NATS server ${where} wants credentials: name their file in MODFLEET_BUS_CREDENTIALS_FILE`
      : `the NATS server ${where} does not take the credentials of MODFLEET_BUS_CREDENTIALS_FILE (${error.message})`;
  if (error instanceof errors.PermissionViolationError)
    return `the user at the NATS server ${where} may not use the subject ${error.subject}: allow it modfleet.>`;
  const code = codeOf(error);
  if (code === 'ECONNREFUSED') return `nobody listens at ${where}: start the NATS server, or mend MODFLEET_BUS_URL`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `no address is known for ${where}: mend MODFLEET_BUS_URL`;
  const words = error instanceof Error ? error.message : 'the connection ended';
  if (words.includes("does not support 'tls'"))
    return `the NATS server ${where} speaks no TLS: give it a certificate, or write nats:// in MODFLEET_BUS_URL`;
  if (code !== undefined && /CERT|SELF_SIGNED|UNABLE_TO/.test(code))
    return `the certificate of the NATS server ${where} is not believed (${words}): name its CA in MODFLEET_BUS_CA_FILE`;
  return `the NATS server ${where} cannot be used: ${words}`;
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string') return code;
  if (error instanceof AggregateError) return error.errors.map(codeOf).find((each) => each !== undefined);
  return codeOf(error.cause);
}
