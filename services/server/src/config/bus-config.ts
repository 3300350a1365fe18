import { z } from 'zod';
import { readSecretFile } from './secret-file.ts';

/** What carries the wake-ups between server processes. */
export type BusConfig = { readonly kind: 'postgres' } | ({ readonly kind: 'nats' } & NatsConfig);

export interface NatsConfig {
  /** `host:port` of each server of the NATS cluster. */
  readonly servers: readonly string[];
  /** The address says tls://: nothing is said in the clear. Else TLS is used where the NATS server offers it. */
  readonly tls: boolean;
  /** Secret. Null: none are asked for. */
  readonly credentials: NatsCredentials | null;
  /** File of the CAs, PEM, by which the NATS server's certificate is judged. Null: those of the system. */
  readonly caFile: string | null;
}

/** What a NATS server knows this one by. */
export type NatsCredentials =
  /** A `.creds` file: a signed user and its seed. */
  | { readonly kind: 'creds'; readonly text: string }
  /** The seed of an nkey. */
  | { readonly kind: 'nkey'; readonly seed: string }
  | { readonly kind: 'password'; readonly user: string; readonly password: string };

const STANDARD_PORT = '4222';

/** One or more addresses of one NATS cluster, all with or all without tls. */
export const busUrl = z.string().transform((text, context): Pick<NatsConfig, 'servers' | 'tls'> => {
  const urls = text.split(',').map((part) => part.trim());
  const problem = urls.map(urlProblem).find((each) => each !== undefined);
  const schemes = new Set(urls.map((url) => url.split(':')[0]));
  if (problem !== undefined || schemes.size !== 1) {
    const message = problem ?? 'mixes nats:// and tls://: use tls:// for every server';
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  }
  const servers = urls.map((url) => {
    const { hostname, port } = new URL(url);
    return `${hostname}:${port === '' ? STANDARD_PORT : port}`;
  });
  return { servers, tls: schemes.has('tls') };
});

/** The value never appears in it: it may hold a password. */
function urlProblem(url: string): string | undefined {
  if (!/^(nats|tls):\/\//.test(url) || !URL.canParse(url))
    return 'is no address of a NATS server, for example nats://10.0.0.5:4222 or tls://nats.example.org; leave it out to use PostgreSQL';
  const { username, password, pathname, search, hash, hostname } = new URL(url);
  if (username !== '' || password !== '')
    return 'holds a user or a password: they belong into the file of MODFLEET_BUS_CREDENTIALS_FILE';
  if (hostname === '' || !['', '/'].includes(pathname) || search !== '' || hash !== '')
    return 'has more in it than a name and a port: give nats://HOST:PORT';
  return undefined;
}

/** What the settings say of the bus; what is wrong goes to `problems`. */
export function busConfig(
  values: {
    readonly MODFLEET_BUS_URL?: Pick<NatsConfig, 'servers' | 'tls'> | undefined;
    readonly MODFLEET_BUS_CREDENTIALS_FILE?: string | undefined;
    readonly MODFLEET_BUS_CA_FILE?: string | undefined;
  },
  problems: string[],
): BusConfig {
  const url = values.MODFLEET_BUS_URL;
  const { MODFLEET_BUS_CREDENTIALS_FILE: credentialsFile, MODFLEET_BUS_CA_FILE: caFile = null } = values;
  if (url === undefined) {
    for (const name of ['MODFLEET_BUS_CREDENTIALS_FILE', 'MODFLEET_BUS_CA_FILE'] as const)
      if (values[name] !== undefined)
        problems.push(`${name} is for the NATS server of MODFLEET_BUS_URL: set that too, or unset ${name}`);
    return { kind: 'postgres' };
  }
  if (caFile !== null) {
    if (!url.tls) problems.push('MODFLEET_BUS_CA_FILE is for TLS: write tls:// instead of nats:// in MODFLEET_BUS_URL');
    const pem = readSecretFile('MODFLEET_BUS_CA_FILE', caFile, problems);
    if (pem !== undefined && !pem.includes('-----BEGIN CERTIFICATE-----'))
      problems.push(`MODFLEET_BUS_CA_FILE: ${caFile} holds no certificate (PEM)`);
  }
  const text = readSecretFile('MODFLEET_BUS_CREDENTIALS_FILE', credentialsFile, problems);
  const credentials = text === undefined ? null : credentialsOf(text);
  if (credentials === undefined)
    problems.push(
      `MODFLEET_BUS_CREDENTIALS_FILE: ${credentialsFile} holds no credentials: it is a .creds file of NATS, the seed of an nkey (SU…), or one line USER:PASSWORD`,
    );
  return { kind: 'nats', ...url, credentials: credentials ?? null, caFile };
}

/** Undefined: it is none of the three. */
function credentialsOf(text: string): NatsCredentials | undefined {
  if (text.includes('-----BEGIN NATS USER JWT-----')) return { kind: 'creds', text };
  if (/^SU[A-Z2-7]{56}$/.test(text)) return { kind: 'nkey', seed: text };
  const match = /^([^:\s]+):(\S+)$/.exec(text);
  return match === null ? undefined : { kind: 'password', user: match[1] ?? '', password: match[2] ?? '' };
}
