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

/** Between two diagnoses, ms; doubles with each that did not help, up to {@link DIAGNOSE_SELDOM_MS}. */
const DIAGNOSE_EVERY_MS = 30_000;
const DIAGNOSE_SELDOM_MS = 10 * 60_000;

/** Failures in a row before a connection to our server that just ended is asked about. */
const PATIENCE = 4;

/** gRPC codes by which the server refuses a host that it could authenticate: PERMISSION_DENIED and UNAUTHENTICATED. */
const REFUSALS: ReadonlySet<number> = new Set([7, 16]);

/** What is remembered between two attempts. */
export interface RetryState {
  /** Attempts since the last Welcome. */
  readonly failures: number;
  /** Boot time of the last diagnosis, ms. */
  readonly diagnosedAtMs?: number;
  /** Diagnoses since the last Welcome. */
  readonly diagnoses?: number;
}

/** After a diagnosis. */
export function diagnosed(state: RetryState, nowMs: number): RetryState {
  return { ...state, diagnosedAtMs: nowMs, diagnoses: (state.diagnoses ?? 0) + 1 };
}

/**
 * Whether the server should be asked what is wrong. A broken session is not asked about, nor a port where nobody listens; nor a server that took the
 * connection and says that it cannot just now: it knows this host, and thousands that ask would keep it from recovering. What says that it is about the certificate is
 * asked about at once, a connection that just ended when that happens again and again; one that ended before its server was met (TLS 1.3: the server has not seen the host's certificate by
 * then, RFC 8446, 2) is that of a server with too many at its door, and the asking would cost it more handshakes than the coming back: three quarters of what 10,000 hosts did,
 * measured, when each asked.
 */
export function shouldDiagnose(end: SessionEnd, state: RetryState, nowMs: number): boolean {
  const everyMs = Math.min(DIAGNOSE_SELDOM_MS, DIAGNOSE_EVERY_MS * 2 ** Math.max(0, (state.diagnoses ?? 0) - 1));
  if (state.diagnosedAtMs !== undefined && nowMs - state.diagnosedAtMs < everyMs) return false;
  const isPatient = state.failures + 1 < PATIENCE;
  if (end.kind === 'reconnect') return end.reason === 'retired';
  if (end.kind === 'ended') return !end.welcomed && !isPatient;
  if (end.kind !== 'failed') return false;
  if (REFUSALS.has(end.code)) return true;
  if (end.answered === true || end.welcomed) return false;
  if (/ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|Name resolution/.test(end.details)) return false;
  return /alert|certificate/i.test(end.details) || (end.met !== false && !isPatient);
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
  const next = { ...state, failures, ...(failures === 0 && state.diagnoses !== undefined ? { diagnoses: 0 } : {}) };
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
