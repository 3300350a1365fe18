/** Postgres cannot be reached, or has no connection free in time. HTTP 503 with Retry-After; it heals itself. */
export class DatabaseUnavailableError extends Error {
  readonly code = 'database_unavailable';
  /** Seconds after which a caller may try again. */
  readonly retryAfterSeconds = 2;
  constructor(cause: unknown) {
    super('The database cannot be reached just now; nothing was changed. Try again in a moment.', { cause });
    this.name = 'DatabaseUnavailableError';
  }
}

/**
 * SQLSTATE classes that mean "not now": 08 connection exception, 57P01-57P05 shut down or starting, 53300 too many connections,
 * 53400 configuration limit, 57014 is a cancelled statement (our own statement_timeout) and counts as overload.
 */
const UNAVAILABLE_SQLSTATES = new Set(['57P01', '57P02', '57P03', '57P05', '53300', '53400', '57014']);

/** errno names of node:net, and what node-postgres says when a socket ends under a query. */
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
const UNAVAILABLE_MESSAGES =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|client was closed|not currently accepting connections|Query read timeout|server closed the connection/i;
/** Prisma: P1001 cannot reach, P1002 timed out, P1008 operation timed out, P1017 connection closed, P2024 pool timeout. */
const UNAVAILABLE_PRISMA = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024']);

/** True when an error of node-postgres or Prisma means that the database is away, not that the statement is wrong. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof DatabaseUnavailableError) return true;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string') {
    if (UNAVAILABLE_SQLSTATES.has(code) || UNAVAILABLE_ERRNOS.has(code) || UNAVAILABLE_PRISMA.has(code)) return true;
    if (code.startsWith('08') && code.length === 5) return true;
  }
  if (UNAVAILABLE_MESSAGES.test(error.message)) return true;
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  return error.cause !== undefined && isUnavailable(error.cause);
}

/** SQLSTATE of a serialization failure or a deadlock: the transaction may be tried again as a whole. */
export function isRetryable(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === '40001' || code === '40P01';
}
