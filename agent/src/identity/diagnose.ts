import { IdentityServiceService, IdentityStatus, diagnoseRequestBytes, diagnosisBytes } from '@modfleet/proto';
import { signWithKey } from './host-key.ts';
import type { HostIdentity } from './host-identity.ts';
import { IDENTITY_TIMEOUT_MS, withSignedCall, type IdentityListener } from './signed-call.ts';

/** How the server sees this host's certificate, signed by the CA. */
export interface Diagnosis {
  readonly status: IdentityStatus;
  /** Server time, ms since the epoch. */
  readonly serverTimeMs: number;
}

/**
 * Asks why a session handshake may have failed: a TLS failure itself says nothing.
 *
 * @throws ServerUnreachableError, ServerNotTrustedError, IdentityCallError
 */
export function diagnose(identity: HostIdentity, keyPem: string, server: IdentityListener): Promise<Diagnosis> {
  return withSignedCall(identity, server, async ({ channel, nonce, certificate, checkSigned }) => {
    const signature = Buffer.from(signWithKey(keyPem, diagnoseRequestBytes(nonce)));
    const request = { hostId: identity.hostId, certificate, nonce, signature };
    const answer = await channel.call(IdentityServiceService.diagnose, request, IDENTITY_TIMEOUT_MS);
    checkSigned(diagnosisBytes(nonce, answer.status, answer.serverTimeMs), answer.signature, 'diagnosis');
    return { status: knownStatus(answer.status), serverTimeMs: answer.serverTimeMs };
  });
}

/** A status of a newer server says nothing to this build. */
export function knownStatus(status: IdentityStatus): IdentityStatus {
  return Object.values(IdentityStatus).includes(status) ? status : IdentityStatus.IDENTITY_STATUS_UNSPECIFIED;
}
