import { X509Certificate } from 'node:crypto';

/** When a certificate counts, ms since the epoch. */
export interface CertificateLife {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Where in its life a certificate is renewed; an eighth of that is jitter, so that hosts that joined together part. */
const RENEW_AT = 2 / 3;
const JITTER = 1 / 12;

/** First wait after a renewal that failed, ms. Each failure doubles it. */
const BASE_MS = 5_000;
/** Longest wait: a third of a day is left, and the server may be away for an hour. */
const CAP_MS = 10 * 60_000;

/** Longest that a running stream stays with the certificate before, while actions are under way, ms. */
const MOVE_WITHIN_MS = 60 * 60_000;

/** The dates of a certificate (PEM). */
export function certificateLife(pem: string): CertificateLife {
  const { validFromDate, validToDate } = new X509Certificate(pem);
  return { fromMs: validFromDate.getTime(), toMs: validToDate.getTime() };
}

/** When to renew: at two thirds of the life, give or take 1/24 of it. `random` is between 0 and 1, drawn once a certificate. */
export function renewAtMs({ fromMs, toMs }: CertificateLife, random: number): number {
  return Math.round(fromMs + (toMs - fromMs) * (RENEW_AT + JITTER * (random - 0.5)));
}

/** Wait before the next try, ms, after so many failures in a row (at least one): full jitter. */
export function renewalRetryMs(failures: number, random: number): number {
  return random * Math.min(CAP_MS, BASE_MS * 2 ** Math.min(failures - 1, 16));
}

/** How long the running stream may wait for a quiet moment before it moves to the new certificate, ms: never past half of what the old one has left. */
export function moveWithinMs(old: CertificateLife, nowMs: number): number {
  return Math.max(0, Math.min(MOVE_WITHIN_MS, (old.toMs - nowMs) / 2));
}
