import { X509Certificate, createPrivateKey } from 'node:crypto';
import { IdentityServiceService, parseJoinString } from '@modfleet/proto';
import type { EnrollResponse, HostFacts } from '@modfleet/proto';
import * as z from 'zod';
import type { MakeRequest } from './certificate-requests.ts';
import { UnaryChannel } from './grpc-unary.ts';
import { loadOrMakeKey } from './host-key.ts';
import type { HostIdentity, IdentityStore } from './host-identity.ts';
import type { IdentityListener } from './identity-questions.ts';
import { IdentityCallError, JoinRefusedError } from './identity-errors.ts';
import { bundleField, readBundle, trustFields, type TrustedCas } from './trust.ts';
import { connectVerified, type VerifiedServer } from './verified-tls.ts';

/** Time for the connection, and again for the call. */
const TIMEOUT_MS = 15_000;

/** gRPC codes that another try would meet again: INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, FAILED_PRECONDITION, UNAUTHENTICATED. */
const HOPELESS: ReadonlySet<number> = new Set([3, 5, 6, 7, 9, 16]);

export interface JoinOptions {
  readonly server: IdentityListener;
  /** Secret; never logged. */
  readonly joinString: string;
  readonly facts: HostFacts;
  readonly store: IdentityStore;
  readonly makeRequest: MakeRequest;
}

/**
 * Makes this machine a host of the server: the server must prove to be the one that the join string pins, before the token leaves this machine. What
 * it answers is on disk when this returns. Safe to repeat: the same token with the same key gives the same host.
 *
 * @throws JoinRefusedError, JoinStringError, IdentityStoreError (trying again is useless)
 * @throws ServerUnreachableError, ServerNotTrustedError, IdentityCallError, CertificateRequestError (may pass)
 */
export async function joinHost({ server, joinString, facts, store, makeRequest }: JoinOptions): Promise<HostIdentity> {
  const { token, caFingerprint } = parseJoinString(joinString);
  const key = await loadOrMakeKey(store);
  const csr = Buffer.from(await makeRequest(key));
  const { socket, server: proven } = await connectVerified({
    ...server,
    trust: { kind: 'pin', caFingerprint },
    dates: new Date(),
    timeoutMs: TIMEOUT_MS,
  });
  const channel = new UnaryChannel(socket);
  try {
    const answer = await channel.call(IdentityServiceService.enroll, { joinToken: token, csr, facts }, TIMEOUT_MS);
    const identity = identityOf(answer, server, key, proven);
    await store.save(identity);
    return identity;
  } catch (error) {
    if (error instanceof IdentityCallError && HOPELESS.has(error.status)) {
      throw new JoinRefusedError(`the server refuses this join: ${error.message}`, { cause: error });
    }
    throw error;
  } finally {
    channel.close();
  }
}

/** Checks that the answer is a certificate for our key by the CA of the server, which the pinned one is or vouches for. @throws JoinRefusedError */
function identityOf(
  answer: EnrollResponse,
  server: IdentityListener,
  keyPem: string,
  proven: VerifiedServer,
): HostIdentity {
  const certificate = readCertificate(answer.certificate);
  if (!certificate.checkPrivateKey(createPrivateKey(keyPem)) || !certificate.verify(proven.issuer.publicKey)) {
    throw new JoinRefusedError(
      'the server answered a certificate that is not for this host’s key, or not made by its CA',
    );
  }
  if (!z.uuid().safeParse(answer.hostId).success || answer.sessionPort < 1 || answer.sessionPort > 65_535) {
    throw new JoinRefusedError('the server answered no usable host id or session port');
  }
  return {
    hostId: answer.hostId,
    certificatePem: certificate.toString(),
    ...trustFields(casToTrust(answer, proven)),
    ...(answer.trust === undefined ? {} : bundleField(answer.trust)),
    server: { host: server.host, identityPort: server.port, sessionPort: answer.sessionPort },
  };
}

/** What the server says, when the pinned CA stands behind it; a server that says nothing has the pinned CA for ever. @throws JoinRefusedError */
function casToTrust({ trust }: EnrollResponse, { trusted }: VerifiedServer): TrustedCas {
  const pinned = { generation: 0, cas: [trusted] };
  if (trust === undefined) return pinned;
  const reading = readBundle(pinned, trust);
  if (reading.kind === 'refused')
    throw new JoinRefusedError(
      `what the server says of its certificate authorities is not to be believed: ${reading.reason}`,
    );
  return reading.kind === 'taken' ? reading.trust : pinned;
}

function readCertificate(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch (cause) {
    throw new JoinRefusedError('the server answered no certificate', { cause });
  }
}
