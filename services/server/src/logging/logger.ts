import type { LoggerService } from '@nestjs/common';
import { type DestinationStream, type Logger, pino } from 'pino';

/** Header and field names whose values never reach a log. */
const SECRET_PATHS = [
  'headers.authorization',
  'headers.cookie',
  'token',
  'joinString',
  'joinToken',
  'databaseUrl',
  '*.token',
  '*.joinString',
  '*.joinToken',
  '*.databaseUrl',
];

/** Anything that looks like one of our tokens, wherever it stands in a text. */
const TOKEN = /\bmf[a-z]_[A-Za-z0-9_-]{20,}(\.[A-Za-z0-9_-]+)?/g;
/** A private key, in whatever state its lines are: as it is, in JSON, in a URL. */
const PRIVATE_KEY =
  /-----BEGIN(?:[A-Z ]|%20)*PRIVATE(?: |%20)KEY-----[A-Za-z0-9+/=%\s\\]*(?:-----END(?:[A-Z ]|%20)*PRIVATE(?: |%20)KEY-----)?/g;
const URL_PASSWORD = /(postgres(?:ql)?:\/\/[^:/@\s]*:)[^@\s]*@/g;

/** A text without tokens, private keys, and passwords in database URLs. */
export function withoutSecrets(text: string): string {
  // Nearly every text has none, and some of them are looked at thousands of times a second.
  const tokens = text.includes('mf') ? text.replace(TOKEN, 'mf…') : text;
  const keys = tokens.includes('-----BEGIN') ? tokens.replace(PRIVATE_KEY, '…') : tokens;
  return keys.includes('postgres') ? keys.replace(URL_PASSWORD, '$1…@') : keys;
}

/** Whether a text holds what looks like one of our tokens, or a private key. Nothing but an Authorization header takes one. */
export function holdsSecret(text: string): boolean {
  return text.search(TOKEN) >= 0 || text.search(PRIVATE_KEY) >= 0;
}

/** Characters that write to a terminal, or reorder or hide what stands there. JSON leaves them as they are; newlines and the like it escapes. */
const UNSEEN = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** JSON, or text for a terminal, with such characters as \uNNNN: what a host says of itself is in logs and lists. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** JSON lines on stdout; errors keep their stack, secrets are cut. */
export function createLogger(level: string, to?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: SECRET_PATHS, censor: '…' },
    hooks: { streamWrite: (line: string) => visible(withoutSecrets(line)) },
  };
  return to === undefined ? pino(options) : pino(options, to);
}

type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** What the framework says at each start: of use to its developers only. */
const FRAMEWORK_CONTEXTS = new Set([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
]);

/** Nest's logger on top of pino: `new Logger('Context')` anywhere in the server ends here. */
export class NestPinoLogger implements LoggerService {
  readonly #logger: Logger;
  constructor(logger: Logger) {
    this.#logger = logger;
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.#write('info', message, rest);
  }
  error(message: unknown, ...rest: unknown[]): void {
    this.#write('error', message, rest);
  }
  warn(message: unknown, ...rest: unknown[]): void {
    this.#write('warn', message, rest);
  }
  debug(message: unknown, ...rest: unknown[]): void {
    this.#write('debug', message, rest);
  }
  verbose(message: unknown, ...rest: unknown[]): void {
    this.#write('trace', message, rest);
  }
  fatal(message: unknown, ...rest: unknown[]): void {
    this.#write('fatal', message, rest);
  }

  /** Nest appends the context as the last text; an Error or an object before it goes along as fields; `message` of an object is the message. */
  #write(level: LogLevel, message: unknown, rest: unknown[]): void {
    const context = typeof rest.at(-1) === 'string' ? String(rest.at(-1)) : undefined;
    const details = context === undefined ? rest : rest.slice(0, -1);
    const error = [message, ...details].find((item) => item instanceof Error);
    const stack = error === undefined ? details.find((item) => typeof item === 'string') : undefined;
    const objects = [...details, message].filter((item) => typeof item === 'object' && !(item instanceof Error));
    const { message: text, ...fields }: Record<string, unknown> = Object.assign({}, ...objects);
    const quiet = level === 'info' && context !== undefined && FRAMEWORK_CONTEXTS.has(context);
    this.#logger[quiet ? 'debug' : level](
      {
        ...(context === undefined ? {} : { context }),
        ...fields,
        ...(error === undefined ? {} : { err: error }),
        ...(stack === undefined ? {} : { stack }),
      },
      messageText(text ?? message),
    );
  }
}

function messageText(message: unknown): string {
  if (message instanceof Error) return message.message;
  return typeof message === 'string' ? message : '';
}
