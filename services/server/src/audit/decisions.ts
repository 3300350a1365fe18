import type { ErrorCode } from '../errors/error-table.ts';

/**
 * Refusals that somebody decided, beforehand, for all such requests: they go into the audit log. The others (no such host, a bad body) are answers to
 * mistakes, and a log of them would be for whoever sends the most.
 */
const DECISIONS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'forbidden',
  'frozen',
  'host_retired',
  'host_quarantined',
  'host_revoked',
]);

export function isDecision(code: ErrorCode): boolean {
  return DECISIONS.has(code);
}
