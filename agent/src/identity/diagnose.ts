import { X509Certificate, verify } from 'node:crypto';
import {
  IdentityServiceService,
  IdentityStatus,
  NONCE_BYTES,
  diagnoseRequestBytes,
  diagnosisBytes,
} from '@modfleet/proto';
import { UnaryChannel } from './grpc-unary.ts';
import { signWithKey } from './host-key.ts';
import type { HostIdentity } from './host-identity.ts';
import { ServerNotTrustedError } from './identity-errors.ts';
import { connectVerified } from './verified-tls.ts';

/** Time for the connection, and again for each call. */
const TIMEOUT_MS = 10_000;

/** How the server sees this host's certificate, signed by the CA. */
export interface Diagnosis {
  readonly status: IdentityStatus;
  /** Server time, ms since the epoch. */
  readonly serverTimeMs: number;
}

/**
 * Asks why a session handshake may have failed: a TLS failure itself says nothing. Validity dates are ignored for this one call (this machine's clock
 * may be the trouble), the CA pin never; the answer counts only with the CA's signature over our nonce.
 *
 * @throws ServerUnreachableError, ServerNotTrustedError, IdentityCallError
 */
export async function diagnose(
  identity: HostIdentity,
  keyPem: string,
  server: { readonly host: string; readonly port: number },
): Promise<Diagnosis> {
  const { socket, ca } = await connectVerified({
    ...server,
    trust: { kind: 'ca', caPem: identity.caPem },
    ignoreDates: true,
    timeoutMs: TIMEOUT_MS,
    now: new Date(),
  });
  const channel = new UnaryChannel(socket);
  try {
    const { nonce } = await channel.call(IdentityServiceService.challenge, {}, TIMEOUT_MS);
    if (nonce.length !== NONCE_BYTES) throw new ServerNotTrustedError('untrusted', 'the server gave no usable nonce');
    const request = {
      hostId: identity.hostId,
      certificate: Buffer.from(new X509Certificate(identity.certificatePem).raw),
      nonce,
      signature: Buffer.from(signWithKey(keyPem, diagnoseRequestBytes(nonce))),
    };
    const answer = await channel.call(IdentityServiceService.diagnose, request, TIMEOUT_MS);
    const signed = diagnosisBytes(nonce, answer.status, answer.serverTimeMs);
    if (!verify('sha256', signed, { key: ca.publicKey, dsaEncoding: 'ieee-p1363' }, answer.signature)) {
      throw new ServerNotTrustedError('untrusted', "the server's diagnosis is not signed by its CA");
    }
    // A status of a newer server is no diagnosis for this build.
    const known = Object.values(IdentityStatus).includes(answer.status);
    return {
      status: known ? answer.status : IdentityStatus.IDENTITY_STATUS_UNSPECIFIED,
      serverTimeMs: answer.serverTimeMs,
    };
  } finally {
    channel.close();
  }
}
