import { X509Certificate } from 'node:crypto';
import type { SessionCall } from './grpc-agent-stream.ts';
import { hostUri, isUuid } from '@modfleet/proto';
import { serialOf } from '../ca/certificate-serial.ts';
import { keyFingerprint } from '../ca/x509.ts';

/** Who a TLS client has proven to be. The certificate is the CA's and within its dates: TLS saw to that. */
export interface PeerIdentity {
  readonly hostId: string;
  readonly keyFingerprint: Buffer;
  /** Serial number, hex. */
  readonly serial: string;
  /** Its end, ms since the epoch. */
  readonly notAfterMs: number;
}

/** Undefined: no client certificate of a host (a server certificate of ours is none). */
export function peerIdentity(call: Pick<SessionCall, 'getAuthContext'>): PeerIdentity | undefined {
  const certificate = peerCertificate(call);
  return certificate === undefined ? undefined : identityOf(certificate);
}

/** What the TLS client has shown. */
export function peerCertificate(call: Pick<SessionCall, 'getAuthContext'>): X509Certificate | undefined {
  const raw = call.getAuthContext()?.sslPeerCertificate?.raw;
  return raw === undefined ? undefined : new X509Certificate(raw);
}

/** id-kp-clientAuth (RFC 5280 section 4.2.1.12). */
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** The host that a certificate names: common name and URI must agree, and it is for clients alone. What TLS lets pass without a usage is none of ours. */
export function identityOf(certificate: X509Certificate): PeerIdentity | undefined {
  if (certificate.ca || certificate.keyUsage?.join() !== CLIENT_AUTH) return undefined;
  const hostId = /^CN=(.+)$/.exec(certificate.subject)?.[1] ?? '';
  if (!isUuid(hostId) || certificate.subjectAltName !== `URI:${hostUri(hostId)}`) return undefined;
  return {
    hostId,
    keyFingerprint: keyFingerprint(certificate.publicKey.export({ type: 'spki', format: 'der' })),
    serial: serialOf(certificate),
    notAfterMs: certificate.validToDate.getTime(),
  };
}
