import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { addressList } from './address-list.ts';
import { type BusConfig, busConfig, busUrl } from './bus-config.ts';
import { isLoopback, listenAddress } from './listen-address.ts';
import { readSecretFile } from './secret-file.ts';
import { proxyProblem } from './trusted-proxy.ts';
import { isSafeUrl, type OidcConfig, oidcConfig } from './oidc-config.ts';

/** Injection token of {@link ServerConfig}. */
export const SERVER_CONFIG = Symbol('SERVER_CONFIG');

/** Every setting that is wrong, in one error: `message` has one line each, with the variable's name and never its value. */
export class ConfigError extends Error {
  readonly code = 'config_invalid';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`The settings of modfleet-server are not usable:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** A whole number from an environment variable, between two bounds. */
function wholeNumber(minimum: number, maximum: number, standard: number) {
  return z
    .string()
    .regex(/^\d+$/, 'is not a whole number')
    .transform(Number)
    .refine((value) => value >= minimum && value <= maximum, `is not between ${minimum} and ${maximum}`)
    .default(standard);
}

/** postgres:// or postgresql://; the value never appears in a message, because it holds a password. */
const databaseUrl = z.string().regex(/^postgres(ql)?:\/\//, 'is not a postgresql:// connection string');

/** One variable each: type, default and the reason for the default. */
export const environmentSchema = z.object({
  /** Truth is kept here. */
  DATABASE_URL: databaseUrl.optional(),
  /** A file that holds DATABASE_URL, for container secrets. */
  DATABASE_URL_FILE: z.string().optional(),
  /** A file that holds the password for DATABASE_URL, for container secrets: the rest of the connection string is no secret. */
  DATABASE_PASSWORD_FILE: z.string().optional(),
  /** For LISTEN and migrations, which need session state; set it when DATABASE_URL leads to a transaction pooler. */
  DATABASE_DIRECT_URL: databaseUrl.optional(),
  /** What carries wake-ups between server processes: a NATS server; PostgreSQL itself when it is left out, which is one thing less to run. */
  MODFLEET_BUS_URL: busUrl.optional(),
  MODFLEET_BUS_CREDENTIALS_FILE: z.string().min(1).optional(),
  MODFLEET_BUS_CA_FILE: z.string().min(1).optional(),
  /** Loopback, because plain HTTP belongs nowhere else. */
  MODFLEET_HTTP_LISTEN: listenAddress.prefault('127.0.0.1:7780'),
  /** Agents: mutual TLS. Loopback until somebody decides otherwise. */
  MODFLEET_SESSION_LISTEN: listenAddress.prefault('127.0.0.1:7781'),
  /** Machines that want to become hosts. */
  MODFLEET_IDENTITY_LISTEN: listenAddress.prefault('127.0.0.1:7782'),
  /** Holds ca/, keys/, admin-token and listening.json. */
  MODFLEET_STATE_DIR: z.string().min(1).optional(),
  /** A file with the passphrase under which the key files in ca/ and keys/ are encrypted. */
  MODFLEET_KEY_PASSPHRASE_FILE: z.string().optional(),
  /** A CA of the operator's, instead of the one that is made in STATE_DIR/ca. */
  MODFLEET_CA_CERT_FILE: z.string().optional(),
  MODFLEET_CA_KEY_FILE: z.string().optional(),
  /** A file with the passphrase of MODFLEET_CA_KEY_FILE. */
  MODFLEET_CA_KEY_PASSPHRASE_FILE: z.string().optional(),
  /** Further names and addresses that agents may reach this server by (comma separated): they go into its certificate. */
  MODFLEET_SERVER_NAMES: z
    .string()
    .transform((text) =>
      text
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== ''),
    )
    .default([]),
  MODFLEET_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  /** Ten connections a replica: Postgres's usual hundred then serves eight replicas and the operators. */
  MODFLEET_DB_POOL_SIZE: wholeNumber(2, 200, 10),
  /** A caller hears 503 after so long: it has better things to do than to wait for a database that is away. */
  MODFLEET_DB_CONNECT_TIMEOUT_MS: wholeNumber(100, 60_000, 2_000),
  /** `off` behind a transaction pooler that does not know named statements: PgBouncer before 1.21, or with max_prepared_statements = 0. */
  MODFLEET_DB_PREPARED_STATEMENTS: z.enum(['on', 'off']).default('on'),
  /** `own-ca`: the API speaks TLS with a certificate of modfleet's own CA, made at start. */
  MODFLEET_HTTP_TLS: z
    .literal('own-ca', { error: 'has one value, own-ca; for a certificate of yours set MODFLEET_HTTP_TLS_CERT_FILE' })
    .optional(),
  MODFLEET_HTTP_TLS_CERT_FILE: z.string().optional(),
  MODFLEET_HTTP_TLS_KEY_FILE: z.string().optional(),
  /** Addresses or CIDRs of proxies that speak TLS for this server, comma separated: their X-Forwarded-For is believed, nobody else's. */
  MODFLEET_TRUSTED_PROXY: z
    .string()
    .transform((text, context) => {
      const entries = text
        .split(',')
        .map((entry) => entry.trim())
        .filter((entry) => entry !== '');
      if (entries.length === 0)
        context.addIssue({ code: 'custom', message: 'names nobody: list the proxies, or unset it' });
      for (const message of entries.map(proxyProblem).filter((problem) => problem !== undefined))
        context.addIssue({ code: 'custom', message });
      return entries.join(',');
    })
    .optional(),
  /** Addresses or CIDRs of TCP balancers before the agents' listeners: each of their connections begins with a PROXY header that says whose it is. */
  MODFLEET_AGENT_PROXIES: addressList.optional(),
  /** Hosts that a server with more than its share asks to move a second: a tenth of what a core can greet. 0: none. */
  MODFLEET_MOVE_PER_SECOND: wholeNumber(0, 1_000, 50),
  /** An even fleet is left alone. */
  MODFLEET_MOVE_TOLERANCE_PERCENT: wholeNumber(1, 100, 10),
  /** How long a rollout rests after the server that watched over it died; shorter than a step of its watcher may take under load, and servers take it from each other. */
  MODFLEET_ROLLOUT_LEASE_SECONDS: wholeNumber(2, 300, 10),
  /** Half a minute: what uses a kmod seldom lets go of it within seconds, and each time the host is asked it is an action of its own. */
  MODFLEET_ROLLOUT_RETRY_SECONDS: wholeNumber(1, 3_600, 30),
  /** A quarter: what an incident review looks back over. */
  MODFLEET_EVENT_RETENTION_DAYS: wholeNumber(1, 3650, 90),
  MODFLEET_RETIRE_AFTER_DAYS: wholeNumber(1, 3650, 30),
  /** 30 s: some 140 bytes there and back, 17 KB an hour. A host that died is noticed sooner, by TCP's keepalive. */
  MODFLEET_HEARTBEAT_INTERVAL_MS: wholeNumber(200, 300_000, 30_000),
  /** Poll of /proc/modules, where uevents are not to be had. */
  MODFLEET_POLL_INTERVAL_MS: wholeNumber(100, 300_000, 2_000),
  MODFLEET_FACET_INTERVAL_MS: wholeNumber(1_000, 3_600_000, 60_000),
  /** Requests a second of one account, on one replica; five times that at once. 0: no limit. */
  MODFLEET_RATE_IDENTITY_PER_SECOND: wholeNumber(0, 1_000_000, 200),
  /** Requests a second from one address, whoever sends them. */
  MODFLEET_RATE_ADDRESS_PER_SECOND: wholeNumber(0, 1_000_000, 500),
  /** Calls a minute from one address without a valid credential: a person mistypes a few times, a guesser does not stop. */
  MODFLEET_RATE_FAILURES_PER_MINUTE: wholeNumber(0, 1_000_000, 30),
  /** New connections a second from one address to the identity listener; five times that at once. A whole rack may stand behind one address. */
  MODFLEET_RATE_JOINS_PER_SECOND: wholeNumber(0, 1_000_000, 20),
  /** Where the seals of the audit log are exported to; default audit/seals.jsonl in the state folder. Another disk is better, another machine best. */
  MODFLEET_AUDIT_SEALS_FILE: z.string().min(1).optional(),
  /** By which browsers reach this server; only an origin, since the API has its own paths. */
  MODFLEET_PUBLIC_URL: z
    .string()
    .refine(
      (text) => isSafeUrl(text) && new URL(text).pathname === '/',
      'is no address like https://modfleet.example.org',
    )
    .transform((text) => new URL(text).origin)
    .optional(),
  /** A working day: nobody signs in twice a day, and a lost laptop is worth nothing the day after. */
  MODFLEET_SIGN_IN_HOURS: wholeNumber(1, 720, 12),
  /** Longer than a meeting. */
  MODFLEET_SIGN_IN_IDLE_MINUTES: wholeNumber(5, 43_200, 120),
  MODFLEET_OIDC_ISSUER: z.string().optional(),
  MODFLEET_OIDC_CLIENT_ID: z.string().optional(),
  MODFLEET_OIDC_CLIENT_SECRET_FILE: z.string().optional(),
  MODFLEET_OIDC_SCOPES: z.string().default('openid profile'),
  MODFLEET_OIDC_GROUPS_CLAIM: z.string().default('groups'),
  MODFLEET_OIDC_NAME_CLAIM: z.string().default('preferred_username'),
  /** Nobody gets a right by a group that no operator named. */
  MODFLEET_OIDC_GRANTS: z.string().optional(),
  /** Who may come in at all is decided here first, not at the provider. */
  MODFLEET_OIDC_MAKE_ACCOUNTS: z.enum(['yes', 'no'], { error: 'is neither yes nor no' }).default('no'),
  /** A day: what a stolen key is good for without a revocation. Hosts renew at two thirds. */
  MODFLEET_HOST_CERT_HOURS: wholeNumber(1, 8_760, 24),
});

/** Settings of the server process, checked. Secrets: `databaseUrl`, `databaseDirectUrl`, `keyPassphrase`, `oidc.clientSecret`, `bus.credentials`. */
export interface ServerConfig {
  readonly databaseUrl: string;
  readonly databaseDirectUrl: string;
  readonly bus: BusConfig;
  readonly httpListen: ListenAddress;
  readonly sessionListen: ListenAddress;
  readonly identityListen: ListenAddress;
  readonly stateDir: string;
  /** Secret. Undefined: key files are protected by their mode alone. */
  readonly keyPassphrase: string | undefined;
  /** Files of the operator's own CA. Null: the server's own. */
  readonly givenCa: GivenCaFiles | null;
  readonly serverNames: readonly string[];
  readonly logLevel: z.output<typeof environmentSchema>['MODFLEET_LOG_LEVEL'];
  readonly dbPoolSize: number;
  readonly dbConnectTimeoutMs: number;
  readonly dbPreparedStatements: boolean;
  readonly httpTls: HttpTls | null;
  readonly trustedProxy: string | null;
  /** Null: agents connect for themselves. */
  readonly agentProxies: readonly string[] | null;
  /** 0: hosts stay where they are. */
  readonly movePerSecond: number;
  readonly moveTolerancePercent: number;
  readonly rolloutLeaseSeconds: number;
  readonly rolloutRetrySeconds: number;
  readonly eventRetentionDays: number;
  readonly retireAfterDays: number;
  readonly heartbeatIntervalMs: number;
  readonly pollIntervalMs: number;
  readonly facetIntervalMs: number;
  readonly hostCertHours: number;
  /** 0: no limit. */
  readonly rateIdentityPerSecond: number;
  readonly rateAddressPerSecond: number;
  readonly rateFailuresPerMinute: number;
  readonly rateJoinsPerSecond: number;
  /** Origin by which browsers reach this server, without a slash at its end. */
  readonly publicUrl: string | null;
  readonly signInHours: number;
  readonly signInIdleMinutes: number;
  /** Null: no identity provider. */
  readonly oidc: OidcConfig | null;
  readonly auditSealsFile: string;
}

/** Where the operator's own CA is. `passphraseFile`: of its key; null when that is not encrypted. */
export interface GivenCaFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly passphraseFile: string | null;
}

/** Where the API's certificate comes from. */
export type HttpTls =
  { readonly kind: 'files'; readonly certFile: string; readonly keyFile: string } | { readonly kind: 'own-ca' };

/** Where to listen. Port 0: any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings from an environment; this folder is the only one that may pass `process.env`.
 *
 * @throws ConfigError listing everything that is wrong.
 */
export function readServerConfig(environment: Environment = process.env): ServerConfig {
  const named = Object.fromEntries(
    Object.keys(environmentSchema.shape).map((name) => [name, blankIsUnset(environment[name])]),
  );
  const parsed = environmentSchema.safeParse(named);
  const problems = parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
  if (!parsed.success) throw new ConfigError(problems);
  const values = parsed.data;
  const url = withPassword(
    values.DATABASE_URL ?? urlFromFile(values.DATABASE_URL_FILE, problems),
    values.DATABASE_PASSWORD_FILE,
    problems,
  );
  if (url === undefined && problems.length === 0) {
    problems.push(
      'DATABASE_URL is not set: give a postgresql:// connection string, or DATABASE_URL_FILE with a file that holds one; ' +
        'beside "npm start": modfleet-server --settings .modfleet/server.env COMMAND',
    );
  }
  const certFile = values.MODFLEET_HTTP_TLS_CERT_FILE;
  const keyFile = values.MODFLEET_HTTP_TLS_KEY_FILE;
  const ownCa = values.MODFLEET_HTTP_TLS === 'own-ca';
  if ((certFile === undefined) !== (keyFile === undefined)) {
    problems.push('MODFLEET_HTTP_TLS_CERT_FILE and MODFLEET_HTTP_TLS_KEY_FILE belong together: set both or neither');
  }
  if (
    !isLoopback(values.MODFLEET_HTTP_LISTEN.host) &&
    certFile === undefined &&
    !ownCa &&
    values.MODFLEET_TRUSTED_PROXY === undefined
  ) {
    problems.push(
      `MODFLEET_HTTP_LISTEN is off loopback (${values.MODFLEET_HTTP_LISTEN.host}) without TLS: set MODFLEET_HTTP_TLS=own-ca, or MODFLEET_HTTP_TLS_CERT_FILE and ` +
        'MODFLEET_HTTP_TLS_KEY_FILE, or MODFLEET_TRUSTED_PROXY when a proxy speaks TLS for it',
    );
  }
  const givenCa = givenCaOf(values, problems);
  const keyPassphrase = passphraseFromFile(values.MODFLEET_KEY_PASSPHRASE_FILE, problems);
  const oidc = oidcConfig(values, problems);
  const bus = busConfig(values, problems);
  if (url === undefined || problems.length > 0) throw new ConfigError(problems);
  const stateDir = values.MODFLEET_STATE_DIR ?? join(homedir(), '.local', 'state', 'modfleet-server');
  return {
    databaseUrl: url,
    databaseDirectUrl: withPassword(values.DATABASE_DIRECT_URL, values.DATABASE_PASSWORD_FILE, problems) ?? url,
    bus,
    httpListen: values.MODFLEET_HTTP_LISTEN,
    sessionListen: values.MODFLEET_SESSION_LISTEN,
    identityListen: values.MODFLEET_IDENTITY_LISTEN,
    stateDir,
    keyPassphrase,
    givenCa,
    serverNames: values.MODFLEET_SERVER_NAMES,
    logLevel: values.MODFLEET_LOG_LEVEL,
    dbPoolSize: values.MODFLEET_DB_POOL_SIZE,
    dbConnectTimeoutMs: values.MODFLEET_DB_CONNECT_TIMEOUT_MS,
    dbPreparedStatements: values.MODFLEET_DB_PREPARED_STATEMENTS === 'on',
    httpTls:
      certFile !== undefined && keyFile !== undefined
        ? { kind: 'files', certFile, keyFile }
        : ownCa
          ? { kind: 'own-ca' }
          : null,
    trustedProxy: values.MODFLEET_TRUSTED_PROXY ?? null,
    agentProxies: values.MODFLEET_AGENT_PROXIES ?? null,
    movePerSecond: values.MODFLEET_MOVE_PER_SECOND,
    rolloutLeaseSeconds: values.MODFLEET_ROLLOUT_LEASE_SECONDS,
    rolloutRetrySeconds: values.MODFLEET_ROLLOUT_RETRY_SECONDS,
    moveTolerancePercent: values.MODFLEET_MOVE_TOLERANCE_PERCENT,
    eventRetentionDays: values.MODFLEET_EVENT_RETENTION_DAYS,
    retireAfterDays: values.MODFLEET_RETIRE_AFTER_DAYS,
    heartbeatIntervalMs: values.MODFLEET_HEARTBEAT_INTERVAL_MS,
    pollIntervalMs: values.MODFLEET_POLL_INTERVAL_MS,
    facetIntervalMs: values.MODFLEET_FACET_INTERVAL_MS,
    hostCertHours: values.MODFLEET_HOST_CERT_HOURS,
    rateIdentityPerSecond: values.MODFLEET_RATE_IDENTITY_PER_SECOND,
    rateAddressPerSecond: values.MODFLEET_RATE_ADDRESS_PER_SECOND,
    rateFailuresPerMinute: values.MODFLEET_RATE_FAILURES_PER_MINUTE,
    rateJoinsPerSecond: values.MODFLEET_RATE_JOINS_PER_SECOND,
    publicUrl: values.MODFLEET_PUBLIC_URL ?? null,
    signInHours: values.MODFLEET_SIGN_IN_HOURS,
    signInIdleMinutes: values.MODFLEET_SIGN_IN_IDLE_MINUTES,
    oidc,
    auditSealsFile: values.MODFLEET_AUDIT_SEALS_FILE ?? join(stateDir, 'audit', 'seals.jsonl'),
  };
}

function givenCaOf(values: z.output<typeof environmentSchema>, problems: string[]): GivenCaFiles | null {
  const certFile = values.MODFLEET_CA_CERT_FILE;
  const keyFile = values.MODFLEET_CA_KEY_FILE;
  const passphraseFile = values.MODFLEET_CA_KEY_PASSPHRASE_FILE ?? null;
  if ((certFile === undefined) !== (keyFile === undefined))
    problems.push('MODFLEET_CA_CERT_FILE and MODFLEET_CA_KEY_FILE belong together: set both or neither');
  if (passphraseFile !== null && keyFile === undefined)
    problems.push('MODFLEET_CA_KEY_PASSPHRASE_FILE is for the key in MODFLEET_CA_KEY_FILE: set that, too');
  return certFile === undefined || keyFile === undefined ? null : { certFile, keyFile, passphraseFile };
}

/** `FOO=` in an env file means: not set. */
function blankIsUnset(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value;
}

function urlFromFile(path: string | undefined, problems: string[]): string | undefined {
  const url = readSecretFile('DATABASE_URL_FILE', path, problems);
  if (url === undefined || databaseUrl.safeParse(url).success) return url;
  problems.push(`DATABASE_URL_FILE: ${path} does not hold a postgresql:// connection string`);
  return undefined;
}

/** Shorter ones can be guessed: what derives a key from it is fast. 16 characters of base64 are 96 bits. */
const PASSPHRASE_CHARACTERS = 16;

function passphraseFromFile(path: string | undefined, problems: string[]): string | undefined {
  const passphrase = readSecretFile('MODFLEET_KEY_PASSPHRASE_FILE', path, problems);
  if (passphrase === undefined || passphrase.length >= PASSPHRASE_CHARACTERS) return passphrase;
  problems.push(
    `MODFLEET_KEY_PASSPHRASE_FILE: ${path} holds fewer than ${PASSPHRASE_CHARACTERS} characters: make it with "head -c 24 /dev/urandom | base64"`,
  );
  return undefined;
}

/** The connection string with the password from a file, where one is named. */
function withPassword(
  url: string | undefined,
  passwordFile: string | undefined,
  problems: string[],
): string | undefined {
  if (url === undefined || passwordFile === undefined) return url;
  const password = readSecretFile('DATABASE_PASSWORD_FILE', passwordFile, problems);
  if (password === undefined) return undefined;
  if (!URL.canParse(url)) {
    problems.push('DATABASE_URL is no URL, so the password of DATABASE_PASSWORD_FILE has no place in it');
    return undefined;
  }
  const complete = new URL(url);
  complete.password = encodeURIComponent(password);
  return complete.href;
}
