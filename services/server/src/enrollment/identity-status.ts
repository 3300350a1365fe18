import type { X509Certificate } from 'node:crypto';
import { IdentityStatus } from '@modfleet/proto';
import { serialOf } from '../ca/certificate-serial.ts';
import type { HostIdentityRow } from './host.queries.ts';
import { certificateUse } from './certificate-use.ts';

/** A certificate that ended no longer ago than this is renewed with its own key. */
export const RENEWABLE_FOR_MS = 30 * 86_400_000;

/**
 * How a host and its certificate stand. What only a person can change comes before dates: those of a retired or revoked host help nobody. Expired before
 * quarantined, because an expired one keeps the host from reporting.
 *
 * @param host undefined: no such host, another key, or a certificate that is none of ours.
 * @param nowMs the clock by which certificates are judged.
 * @param isCaTrusted false: sessions no longer take what its CA issued.
 */
export function identityStatus(
  certificate: X509Certificate,
  host: HostIdentityRow | undefined,
  nowMs: number,
  isCaTrusted = true,
): IdentityStatus {
  if (host === undefined) return IdentityStatus.IDENTITY_STATUS_UNKNOWN;
  if (host.retired) return IdentityStatus.IDENTITY_STATUS_DELETED;
  if (host.revoked) return IdentityStatus.IDENTITY_STATUS_REVOKED;
  if (!host.quarantined && certificateUse(serialOf(certificate), host.certificateUsed) === 'superseded')
    return IdentityStatus.IDENTITY_STATUS_SUPERSEDED;
  if (nowMs > certificate.validToDate.getTime()) return IdentityStatus.IDENTITY_STATUS_EXPIRED;
  if (nowMs < certificate.validFromDate.getTime()) return IdentityStatus.IDENTITY_STATUS_NOT_YET_VALID;
  if (!isCaTrusted) return IdentityStatus.IDENTITY_STATUS_CA_REPLACED;
  return host.quarantined ? IdentityStatus.IDENTITY_STATUS_QUARANTINED : IdentityStatus.IDENTITY_STATUS_VALID;
}

/** One word each, for logs and metrics. */
export const STATUS_WORDS: Readonly<Record<IdentityStatus, string>> = {
  [IdentityStatus.IDENTITY_STATUS_UNSPECIFIED]: 'unspecified',
  [IdentityStatus.IDENTITY_STATUS_VALID]: 'valid',
  [IdentityStatus.IDENTITY_STATUS_EXPIRED]: 'expired',
  [IdentityStatus.IDENTITY_STATUS_NOT_YET_VALID]: 'not_yet_valid',
  [IdentityStatus.IDENTITY_STATUS_REVOKED]: 'revoked',
  [IdentityStatus.IDENTITY_STATUS_UNKNOWN]: 'unknown',
  [IdentityStatus.IDENTITY_STATUS_QUARANTINED]: 'quarantined',
  [IdentityStatus.IDENTITY_STATUS_DELETED]: 'deleted',
  [IdentityStatus.IDENTITY_STATUS_SUPERSEDED]: 'superseded',
  [IdentityStatus.IDENTITY_STATUS_CA_REPLACED]: 'ca_replaced',
};

/** What a renewal does. */
export type RenewalStep =
  /** Another certificate. */
  | { readonly kind: 'issue'; readonly host: HostIdentityRow }
  /** Two machines have one identity: quarantine, then another certificate, so that both can report. */
  | { readonly kind: 'clone'; readonly host: HostIdentityRow }
  /** None. */
  | { readonly kind: 'refuse'; readonly status: IdentityStatus };

/**
 * Decides a renewal. An ended certificate is good for 30 days more, by whichever says less: its own dates, or the database, which knows when the host was
 * last heard of. So neither a server whose clock was wrong for a while nor a long silence alone strands a host.
 */
export function decideRenewal(
  certificate: X509Certificate,
  host: HostIdentityRow | undefined,
  nowMs: number,
): RenewalStep {
  const status = identityStatus(certificate, host, nowMs);
  if (host === undefined) return { kind: 'refuse', status };
  switch (status) {
    case IdentityStatus.IDENTITY_STATUS_DELETED:
    case IdentityStatus.IDENTITY_STATUS_REVOKED:
      return { kind: 'refuse', status };
    case IdentityStatus.IDENTITY_STATUS_SUPERSEDED:
      return { kind: 'clone', host };
    case IdentityStatus.IDENTITY_STATUS_EXPIRED:
      return nowMs - certificate.validToDate.getTime() > RENEWABLE_FOR_MS && host.silentMs > RENEWABLE_FOR_MS
        ? { kind: 'refuse', status }
        : { kind: 'issue', host };
    default:
      return { kind: 'issue', host };
  }
}
