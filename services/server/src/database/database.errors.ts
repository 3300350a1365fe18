/** Postgres cannot be reached, or has no time for us. HTTP 503 with Retry-After; it heals itself. */
export class DatabaseUnavailableError extends Error {
  readonly code: 'database_unavailable' | 'overloaded' = 'database_unavailable';
  /** Seconds after which a caller may try again. */
  readonly retryAfterSeconds: number = 2;
  constructor(
    cause: unknown,
    message = 'The database cannot be reached just now; nothing was changed. Try again in a moment.',
  ) {
    super(message, { cause });
    this.name = 'DatabaseUnavailableError';
  }
}

/** Postgres is there, and has no connection free in time or takes too long: this server is asked more than it can answer. */
export class DatabaseOverloadedError extends DatabaseUnavailableError {
  override readonly code = 'overloaded';
  override readonly retryAfterSeconds = 1;
  constructor(cause: unknown) {
    super(cause, 'The server has more to do than its database can take; nothing was changed. Try again in a moment.');
    this.name = 'DatabaseOverloadedError';
  }
}

/**
 * The error as callers are to see it: what means "not now" becomes one of the two above, everything else stays as it is.
 */
export function explained(error: unknown): unknown {
  if (error instanceof DatabaseUnavailableError || !isUnavailable(error)) return error;
  return isOverload(error) ? new DatabaseOverloadedError(error) : new DatabaseUnavailableError(error);
}

/** 53300 too many connections, 57014 our own statement_timeout, P2024 and the message: no connection of the pool came free in time. */
const OVERLOAD_CODES = new Set(['53300', '57014', 'P2024']);
const POOL_EXHAUSTED = 'timeout exceeded when trying to connect';

function isOverload(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && OVERLOAD_CODES.has(code)) return true;
  return error.message === POOL_EXHAUSTED || isOverload(error.cause);
}

/**
 * SQLSTATE classes that mean "not now": 08 connection exception, 57P01-57P05 shut down or starting, 53300 too many connections,
 * 53400 configuration limit, 57014 is a cancelled statement (our own statement_timeout) and counts as overload.
 */
const UNAVAILABLE_SQLSTATES = new Set(['57P01', '57P02', '57P03', '57P05', '53300', '53400', '57014']);

/** errno names of node:net, and what node-postgres says when a socket ends under a query. ENOENT is a socket of PostgreSQL that is not there. */
const UNAVAILABLE_ERRNOS = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
]);
/** What sockets do, where an error says it: a file that is not there has the same errno names. */
const SOCKET_CALLS = new Set(['connect', 'read', 'write', 'writev', 'shutdown', 'getaddrinfo', 'queryA', 'queryAaaa']);
const UNAVAILABLE_MESSAGES =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|client was closed|not currently accepting connections|Query read timeout|server closed the connection/i;
/** Prisma: P1001 cannot reach, P1002 timed out, P1008 operation timed out, P1017 connection closed, P2024 pool timeout. */
const UNAVAILABLE_PRISMA = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024']);

/** True when an error of node-postgres or Prisma means that the database is away, not that the statement is wrong. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof DatabaseUnavailableError) return true;
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  if (typeof code === 'string') {
    if (UNAVAILABLE_SQLSTATES.has(code) || UNAVAILABLE_PRISMA.has(code)) return true;
    if (UNAVAILABLE_ERRNOS.has(code) && isOfSocket(code, syscall)) return true;
    if (code.startsWith('08') && code.length === 5) return true;
  }
  if (UNAVAILABLE_MESSAGES.test(error.message)) return true;
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  return error.cause !== undefined && isUnavailable(error.cause);
}

function isOfSocket(code: string, syscall: unknown): boolean {
  if (code === 'ENOENT') return syscall === 'connect';
  return syscall === undefined || SOCKET_CALLS.has(String(syscall));
}

/** A lock was not to be had within lock_timeout (SQLSTATE 55P03). */
export function isLockTimeout(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === '55P03';
}

/**
 * A connection knows a statement otherwise than we think: 26000, a pooler without support for named statements gave us another connection; 0A000 with this
 * message, a migration changed what a statement answers. A new connection knows none.
 */
export function isStaleStatement(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  return code === '26000' || (code === '0A000' && error.message.includes('cached plan must not change result type'));
}
