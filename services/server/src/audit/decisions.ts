import type { ErrorCode } from '../errors/error-table.ts';

/** Somebody may not: by the rights that were given, or because those were changed outside the server. */
const DENIALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['forbidden', 'access_seal_broken']);

/** What is so for a host or for the fleet, because somebody decided it. */
const STANDING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'frozen',
  'host_retired',
  'host_quarantined',
  'host_revoked',
]);

export function isDenial(code: ErrorCode): boolean {
  return DENIALS.has(code);
}

/**
 * Refusals that somebody decided, beforehand, for all such requests: they go into the audit log. The others (no such host, a bad body) are answers to
 * mistakes, and a log of them would be for whoever sends the most.
 */
export function isDecision(code: ErrorCode): boolean {
  return DENIALS.has(code) || STANDING.has(code);
}
