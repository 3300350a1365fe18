/**
 * INVARIANTS
 * - No byte is sent on a connection before its peer has proven to hold a key that the CA certified for `modfleet-server`.
 * - The CA is either one that this host trusts (trust.ts), or the certificate whose SHA-256 is the pin of the join string, or one for which such a one
 *   vouches by a certificate. Never a system root, never a name alone.
 * - `dates: 'ignored'` ignores validity dates only. It exists for Diagnose and Renew, on hosts whose clock is wrong; their answers are signed by the CA over
 *   our nonce, which says of the server's time and standing what dates cannot.
 *
 * Node's own check cannot do this (no pin before the chain is known, no way to ignore dates), so it is off and ours runs on the connected socket,
 * whose handshake has proven possession of the leaf's key.
 */
import { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { SERVER_TLS_NAME, VOUCHING_MAX, certificateFingerprint, sameDigest } from '@modfleet/proto';
import { findPath } from './certificate-path.ts';
import { ServerNotTrustedError, ServerUnreachableError } from './identity-errors.ts';
import { certificatesIn } from './trust.ts';

/** Extended key usage "TLS server" (RFC 5280, 4.2.1.12): a host's certificate, which has another, can never pose as the server. */
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

/** A chain longer than this is none of ours: the server's own, and for each CA since the oldest that hosts may know its own and what vouches for it. */
const MAX_CHAIN = 2 + 2 * VOUCHING_MAX;

/** What makes a server ours. `caPem`: one or more certificates. */
export type Trust =
  { readonly kind: 'pin'; readonly caFingerprint: Uint8Array } | { readonly kind: 'ca'; readonly caPem: string };

/** A connection to a server that is ours. */
export interface VerifiedConnection {
  readonly socket: TLSSocket;
  readonly server: VerifiedServer;
}

/** What a server has proven. */
export interface VerifiedServer {
  /** A certificate of the CA that made the server's, and that signs what the server says. */
  readonly issuer: X509Certificate;
  /** The CA that was trusted or pinned before: the same, or one that vouches for it. */
  readonly trusted: X509Certificate;
}

export interface VerifiedTlsOptions {
  readonly host: string;
  readonly port: number;
  /** Address of this machine to connect from; the kernel's choice when left out. */
  readonly localAddress?: string | undefined;
  readonly trust: Trust;
  /** The time to hold validity dates against, or `ignored`. */
  readonly dates: Date | 'ignored';
  readonly timeoutMs: number;
}

/** Opens a TLS connection (HTTP/2) to our server. @throws ServerUnreachableError, ServerNotTrustedError */
export async function connectVerified(options: VerifiedTlsOptions): Promise<VerifiedConnection> {
  const socket = await open(options);
  // Its certificates go with a socket that was closed meanwhile: that is no server without any.
  if (socket.destroyed)
    throw new ServerUnreachableError(options.host, options.port, 'the connection was closed right after the handshake');
  try {
    return { socket, server: verifyPeer(socket, options) };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Which CAs stand behind the peer of a connected socket, when it is our server. @throws ServerNotTrustedError */
export function verifyPeer(socket: TLSSocket, options: Pick<VerifiedTlsOptions, 'trust' | 'dates'>): VerifiedServer {
  return verifyChain(chainOf(socket), options);
}

function open({ host, port, localAddress, timeoutMs }: VerifiedTlsOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string, cause?: unknown): void => {
      socket.destroy();
      reject(new ServerUnreachableError(host, port, reason, { cause }));
    };
    const socket = connect({
      host,
      port,
      ...(localAddress === undefined ? {} : { localAddress }),
      servername: SERVER_TLS_NAME,
      ALPNProtocols: ['h2'],
      minVersion: 'TLSv1.2',
      // The check is verifyChain below.
      rejectUnauthorized: false,
    });
    const timer = setTimeout(() => fail(`no TLS answer within ${timeoutMs} ms`), timeoutMs);
    const onError = (error: Error): void => {
      clearTimeout(timer);
      fail(error.message, error);
    };
    socket.once('error', onError);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', onError);
      // What fails from here on is told by the call that meets it.
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}

/** The certificates that the peer presented, leaf first. */
function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  const seen = new Set<string>();
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next?.raw !== undefined && chain.length < MAX_CHAIN && !seen.has(next.fingerprint256)) {
    seen.add(next.fingerprint256);
    chain.push(new X509Certificate(next.raw));
    next = next.issuerCertificate;
  }
  return chain;
}

/** Which CAs stand behind a chain whose first certificate is our server's. Exported for tests. @throws ServerNotTrustedError */
export function verifyChain(
  chain: readonly X509Certificate[],
  { trust, dates }: Pick<VerifiedTlsOptions, 'trust' | 'dates'>,
): VerifiedServer {
  const [leaf, ...pool] = chain;
  if (leaf === undefined) throw new ServerNotTrustedError('untrusted', 'the server presents no certificate');
  const anchors = anchorsOf(pool, trust);
  if (anchors.length === 0)
    throw new ServerNotTrustedError(
      'untrusted',
      'no certificate of this server has the fingerprint in the join string: this is another server, or someone is in between',
    );
  const path = findPath(leaf, pool, anchors);
  const issuer = path?.[1];
  const trusted = path?.at(-1);
  if (path === undefined || issuer === undefined || trusted === undefined) {
    throw new ServerNotTrustedError(
      'untrusted',
      'the server certificate was not made by the pinned certificate authority, nor by one that it vouches for: this is not the server that this host joined',
    );
  }
  if (leaf.checkHost(SERVER_TLS_NAME) === undefined || !leaf.keyUsage.includes(SERVER_AUTH)) {
    throw new ServerNotTrustedError('untrusted', 'the certificate that was presented is not a modfleet server’s');
  }
  if (dates !== 'ignored') for (const certificate of path) checkDates(certificate, dates);
  return { issuer, trusted };
}

function anchorsOf(pool: readonly X509Certificate[], trust: Trust): readonly X509Certificate[] {
  if (trust.kind === 'ca') return certificatesIn(trust.caPem);
  return pool.filter((certificate) => sameDigest(certificateFingerprint(certificate.raw), trust.caFingerprint));
}

function checkDates(certificate: X509Certificate, now: Date): void {
  const clock = `and it is ${now.toISOString()} as far as this machine knows`;
  if (now < certificate.validFromDate) {
    throw new ServerNotTrustedError(
      'dates',
      `the server certificate begins at ${certificate.validFromDate.toISOString()}, ${clock}: is its clock right?`,
    );
  }
  if (now > certificate.validToDate) {
    throw new ServerNotTrustedError(
      'dates',
      `the server certificate ended at ${certificate.validToDate.toISOString()}, ${clock}`,
    );
  }
}
