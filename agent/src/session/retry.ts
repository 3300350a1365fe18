import type { SessionEnd } from './session-end.ts';
import { wasWelcomed } from './session-end.ts';

/** Longest first wait, ms. Each failure doubles it. */
const BASE_MS = 1000;

/** Longest wait while trying again can help, ms: 10,000 hosts then make 1,300 attempts a second at a server that returns, which its gate spreads. */
const CAP_MS = 15_000;

/** Longest wait while only a person can help, ms: a retired host must not load the server for ever. */
const HOPELESS_MS = 10 * 60_000;

/** Longest wait of an agent that another one displaced, ms. */
const DISPLACED_MS = 2 * 60_000;

/** Between two diagnoses, ms. */
const DIAGNOSE_EVERY_MS = 30_000;

/** gRPC codes by which the server refuses a host that it could authenticate: PERMISSION_DENIED and UNAUTHENTICATED. */
const REFUSALS: ReadonlySet<number> = new Set([7, 16]);

/** What is remembered between two attempts. */
export interface RetryState {
  /** Attempts since the last Welcome. */
  readonly failures: number;
  /** Boot time of the last diagnosis, ms. */
  readonly diagnosedAtMs?: number;
}

/**
 * Whether the server should be asked what is wrong. A broken session is not asked about, nor a port where nobody listens; nor a server that took the
 * connection and says that it cannot just now: it knows this host, and thousands that ask would keep it from recovering.
 */
export function shouldDiagnose(end: SessionEnd, state: RetryState, nowMs: number): boolean {
  if (state.diagnosedAtMs !== undefined && nowMs - state.diagnosedAtMs < DIAGNOSE_EVERY_MS) return false;
  if (end.kind === 'reconnect') return end.reason === 'retired';
  if (end.kind === 'ended') return !end.welcomed;
  if (end.kind !== 'failed') return false;
  if (REFUSALS.has(end.code)) return true;
  if (end.answered === true) return false;
  return (
    !end.welcomed && !/ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|Name resolution/.test(end.details)
  );
}

/**
 * Another agent with this identity connected after this one. This one has no second connection, so somebody copied its state folder; two that come
 * back at once would push each other off for ever.
 */
export function isDisplaced(end: SessionEnd): boolean {
  return end.kind === 'reconnect' && end.reason === 'superseded';
}

/** Wait before the next attempt, ms, and what to remember: full jitter, so that a fleet spreads out. `random` is between 0 and 1. */
export function planRetry(
  end: SessionEnd,
  state: RetryState,
  hopeless: boolean,
  random: number,
): { readonly delayMs: number; readonly state: RetryState } {
  const failures = wasWelcomed(end) ? 0 : state.failures + 1;
  const next = { ...state, failures };
  if (hopeless || isDisplaced(end)) {
    const longestMs = hopeless ? HOPELESS_MS : DISPLACED_MS;
    return { delayMs: longestMs * (0.5 + random / 2), state: next };
  }
  // One host at a time renews: nothing to spread, and the sooner it is back the less anybody notices.
  if (end.kind === 'renewed' && end.why === 'certificate') return { delayMs: 0, state: next };
  const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(failures, 16));
  // The server spreads its hosts by after_ms; the jitter on top keeps two hosts with one answer apart.
  const delayMs = end.kind === 'reconnect' ? end.afterMs + random * BASE_MS : random * ceiling;
  return { delayMs, state: next };
}
