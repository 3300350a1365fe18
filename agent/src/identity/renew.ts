import { X509Certificate, createPrivateKey } from 'node:crypto';
import { IdentityServiceService, renewRequestBytes, renewalBytes } from '@modfleet/proto';
import { knownStatus, type Diagnosis } from './diagnose.ts';
import { signWithKey } from './host-key.ts';
import type { HostIdentity } from './host-identity.ts';
import { ServerNotTrustedError } from './identity-errors.ts';
import { IDENTITY_TIMEOUT_MS, withSignedCall, type IdentityListener } from './signed-call.ts';

/** What the server answered, signed by the CA. */
export interface Renewal extends Diagnosis {
  /** The identity with its new certificate; undefined: there is none, and `status` says why. */
  readonly identity: HostIdentity | undefined;
}

/**
 * Asks for another certificate for the key that this host has. Nothing is kept: that is the caller's, before it uses the new one. To ask again with the
 * same identity is always right.
 *
 * @throws ServerUnreachableError, ServerNotTrustedError, IdentityCallError
 */
export function renew(
  identity: HostIdentity,
  keyPem: string,
  bootId: string,
  server: IdentityListener,
): Promise<Renewal> {
  return withSignedCall(identity, server, async ({ channel, nonce, certificate, ca, checkSigned }) => {
    const signature = Buffer.from(signWithKey(keyPem, renewRequestBytes(nonce, certificate, bootId)));
    const request = { hostId: identity.hostId, certificate, nonce, signature, bootId };
    const answer = await channel.call(IdentityServiceService.renew, request, IDENTITY_TIMEOUT_MS);
    const { status, serverTimeMs, certificate: der } = answer;
    checkSigned(renewalBytes(nonce, status, serverTimeMs, der), answer.signature, 'answer');
    const renewed = der.length === 0 ? undefined : { ...identity, certificatePem: pemFor(identity, keyPem, der, ca) };
    return { status: knownStatus(status), serverTimeMs, identity: renewed };
  });
}

/** @throws ServerNotTrustedError when it is not a certificate for this host and its key by the kept CA. */
function pemFor({ hostId }: HostIdentity, keyPem: string, der: Uint8Array, ca: X509Certificate): string {
  const certificate = new X509Certificate(der);
  if (
    certificate.subject !== `CN=${hostId}` ||
    !certificate.checkPrivateKey(createPrivateKey(keyPem)) ||
    !certificate.verify(ca.publicKey)
  )
    throw new ServerNotTrustedError('untrusted', 'the server answered a certificate that is not for this host');
  return certificate.toString();
}
