import { X509Certificate, verify } from 'node:crypto';
import { IdentityServiceService, NONCE_BYTES } from '@modfleet/proto';
import { UnaryChannel } from './grpc-unary.ts';
import type { HostIdentity } from './host-identity.ts';
import { ServerNotTrustedError } from './identity-errors.ts';
import { connectVerified } from './verified-tls.ts';

/**
 * Time for the connection, and again for each call. The server judges a renewal within as long of its nonce (server: enrollment/renew.service.ts), so
 * that it never judges one that this agent has given up.
 */
export const IDENTITY_TIMEOUT_MS = 10_000;

/** Where the identity listener is. */
export interface IdentityListener {
  readonly host: string;
  readonly port: number;
}

/** One connection to the identity listener on which the host proves itself by its key. */
export interface SignedCall {
  readonly channel: UnaryChannel;
  /** To be signed by the host's key. */
  readonly nonce: Buffer;
  /** Host certificate, DER. */
  readonly certificate: Buffer;
  /** The kept CA. */
  readonly ca: X509Certificate;
  /** @throws ServerNotTrustedError when the CA's key has not made this signature. */
  checkSigned(bytes: Uint8Array, signature: Uint8Array, what: string): void;
}

/**
 * Makes a call with a nonce of the server. Validity dates are ignored (this machine's clock may be the trouble), the CA pin never: the answer counts only
 * with the CA's signature over our nonce.
 *
 * @throws ServerUnreachableError, ServerNotTrustedError, IdentityCallError
 */
export async function withSignedCall<T>(
  identity: HostIdentity,
  server: IdentityListener,
  run: (call: SignedCall) => Promise<T>,
): Promise<T> {
  const { socket, ca } = await connectVerified({
    ...server,
    trust: { kind: 'ca', caPem: identity.caPem },
    dates: 'ignored',
    timeoutMs: IDENTITY_TIMEOUT_MS,
  });
  const channel = new UnaryChannel(socket);
  try {
    const { nonce } = await channel.call(IdentityServiceService.challenge, {}, IDENTITY_TIMEOUT_MS);
    if (nonce.length !== NONCE_BYTES) throw new ServerNotTrustedError('untrusted', 'the server gave no usable nonce');
    return await run({
      channel,
      nonce,
      ca,
      certificate: Buffer.from(new X509Certificate(identity.certificatePem).raw),
      checkSigned: (bytes, signature, what) => {
        if (!verify('sha256', bytes, { key: ca.publicKey, dsaEncoding: 'ieee-p1363' }, signature))
          throw new ServerNotTrustedError('untrusted', `the server's ${what} is not signed by its CA`);
      },
    });
  } finally {
    channel.close();
  }
}
