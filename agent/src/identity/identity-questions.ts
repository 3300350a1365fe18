import { X509Certificate, createPrivateKey, verify } from 'node:crypto';
import {
  IdentityServiceService,
  IdentityStatus,
  NONCE_BYTES,
  diagnoseRequestBytes,
  diagnosisBytes,
  renewRequestBytes,
  renewalBytes,
} from '@modfleet/proto';
import { UnaryChannel } from './grpc-unary.ts';
import { signWithKey } from './host-key.ts';
import type { HostIdentity } from './host-identity.ts';
import { ServerNotTrustedError } from './identity-errors.ts';
import { connectVerified } from './verified-tls.ts';

/**
 * Time for the connection, and again for each call. The server judges a renewal within as long of its nonce (server: enrollment/renew.service.ts), so
 * that it never judges one that this agent has given up.
 */
const TIMEOUT_MS = 10_000;

/** Where the identity listener is. */
export interface IdentityListener {
  readonly host: string;
  readonly port: number;
  /** Address of this machine to connect from; the kernel's choice when left out. */
  readonly localAddress?: string | undefined;
}

/** How the server sees this host's certificate, signed by the CA. */
export interface Diagnosis {
  readonly status: IdentityStatus;
  /** Server time, ms since the epoch. */
  readonly serverTimeMs: number;
}

/** What the server answered to a renewal, signed by the CA. */
export interface Renewal extends Diagnosis {
  /** The identity with its new certificate; undefined: there is none, and `status` says why. */
  readonly identity: HostIdentity | undefined;
}

/** One connection to the identity listener, on which the host proves itself by its key. */
export interface IdentityQuestions {
  /** Asks why a session handshake may have failed: a TLS failure itself says nothing. */
  diagnose(): Promise<Diagnosis>;
  /**
   * Asks for another certificate for the key that this host has. Nothing is kept: that is the caller's, before it uses the new one. To ask again with the
   * same identity is always right.
   */
  renew(bootId: string): Promise<Renewal>;
}

/**
 * Opens a connection for such questions. Validity dates are ignored (this machine's clock may be the trouble), the CA pin never: an answer counts only
 * with the CA's signature over our nonce.
 *
 * @throws ServerUnreachableError, ServerNotTrustedError, IdentityCallError, also from the questions
 */
export async function askIdentityService<T>(
  identity: HostIdentity,
  keyPem: string,
  server: IdentityListener,
  run: (ask: IdentityQuestions) => Promise<T>,
): Promise<T> {
  const { socket, server: proven } = await connectVerified({
    ...server,
    trust: { kind: 'ca', caPem: identity.caPem },
    dates: 'ignored',
    timeoutMs: TIMEOUT_MS,
  });
  const channel = new UnaryChannel(socket);
  const certificate = Buffer.from(new X509Certificate(identity.certificatePem).raw);
  const { hostId } = identity;
  const challenge = async (): Promise<Buffer> => {
    const { nonce } = await channel.call(IdentityServiceService.challenge, {}, TIMEOUT_MS);
    if (nonce.length !== NONCE_BYTES) throw new ServerNotTrustedError('untrusted', 'the server gave no usable nonce');
    return nonce;
  };
  const check = (signed: Uint8Array, signature: Uint8Array, what: string): void => {
    if (!verify('sha256', signed, { key: proven.issuer.publicKey, dsaEncoding: 'ieee-p1363' }, signature))
      throw new ServerNotTrustedError('untrusted', `the server's ${what} is not signed by its CA`);
  };
  const sign = (bytes: Uint8Array): Buffer => Buffer.from(signWithKey(keyPem, bytes));
  try {
    return await run({
      diagnose: async () => {
        const nonce = await challenge();
        const request = { hostId, certificate, nonce, signature: sign(diagnoseRequestBytes(nonce)) };
        const answer = await channel.call(IdentityServiceService.diagnose, request, TIMEOUT_MS);
        const { status, serverTimeMs } = answer;
        check(diagnosisBytes(nonce, status, serverTimeMs), answer.signature, 'diagnosis');
        return { status: knownStatus(status), serverTimeMs };
      },
      renew: async (bootId) => {
        const nonce = await challenge();
        const signature = sign(renewRequestBytes(nonce, certificate, bootId));
        const request = { hostId, certificate, nonce, signature, bootId };
        const answer = await channel.call(IdentityServiceService.renew, request, TIMEOUT_MS);
        const { status, serverTimeMs, certificate: der } = answer;
        check(renewalBytes(nonce, status, serverTimeMs, der), answer.signature, 'answer to a renewal');
        const certificatePem = der.length === 0 ? undefined : pemFor(hostId, keyPem, der, proven.issuer);
        return {
          status: knownStatus(status),
          serverTimeMs,
          identity: certificatePem === undefined ? undefined : { ...identity, certificatePem },
        };
      },
    });
  } finally {
    channel.close();
  }
}

/** A status of a newer server says nothing to this build. */
function knownStatus(status: IdentityStatus): IdentityStatus {
  return Object.values(IdentityStatus).includes(status) ? status : IdentityStatus.IDENTITY_STATUS_UNSPECIFIED;
}

/** @throws ServerNotTrustedError when it is not a certificate for this host and its key by the kept CA. */
function pemFor(hostId: string, keyPem: string, der: Uint8Array, ca: X509Certificate): string {
  const certificate = new X509Certificate(der);
  if (
    certificate.subject !== `CN=${hostId}` ||
    !certificate.checkPrivateKey(createPrivateKey(keyPem)) ||
    !certificate.verify(ca.publicKey)
  )
    throw new ServerNotTrustedError('untrusted', 'the server answered a certificate that is not for this host');
  return certificate.toString();
}
