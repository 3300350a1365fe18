import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { SERVER_TLS_NAME } from '@modfleet/proto';
import type { HostIdentity } from '../identity/host-identity.ts';
import type { Credentials } from '../identity/kept-identity.ts';
import { verifyPeer } from '../identity/verified-tls.ts';

/** Where the session listener is. */
export interface SessionAddress {
  readonly host: string;
  readonly port: number;
  /** Address of this machine to connect from; the kernel's choice when left out. */
  readonly localAddress?: string | undefined;
}

/** A connection to the session listener with mutual TLS. */
export interface SessionConnection {
  readonly socket: TLSSocket;
  /**
   * Resolves once the peer has proven to be `modfleet-server` of the kept CA, the only root; nothing may be sent before. Rejects, and the socket is
   * destroyed, when it has not or when the connection fails.
   */
  readonly proven: Promise<void>;
}

/**
 * Opens one. The peer is checked here and not by Node, because dates are to be held against the server's time where it is known: a host whose own clock
 * is wrong has a session all the same (docs/adr/0027).
 */
export function connectToSessionListener(
  { host, port, localAddress }: SessionAddress,
  credentials: Credentials,
): SessionConnection {
  const { identity, now } = credentials;
  const socket = connect({
    host,
    port,
    ...(localAddress === undefined ? {} : { localAddress }),
    servername: SERVER_TLS_NAME,
    secureContext: contextOf(credentials),
    ALPNProtocols: ['h2'],
    // The check is verifyPeer below.
    rejectUnauthorized: false,
  });
  const proven = new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('the connection ended')));
    socket.once('secureConnect', () => {
      try {
        verifyPeer(socket, { trust: { kind: 'ca', caPem: identity.caPem }, dates: now });
        resolve();
      } catch (error) {
        reject(error as Error);
        socket.destroy();
      }
    });
  });
  // Whoever waits for it hears of it; a connection that nobody waits for any more fails in silence.
  proven.catch(() => undefined);
  return { socket, proven };
}

/** An identity is replaced, never changed, and keeps its key. */
const contexts = new WeakMap<HostIdentity, SecureContext>();

/** Reading certificates and key is a third of what an attempt at a connection costs. */
function contextOf({ identity, keyPem }: Credentials): SecureContext {
  const known = contexts.get(identity);
  if (known !== undefined) return known;
  const context = createSecureContext({
    ca: identity.caPem,
    cert: identity.certificatePem,
    key: keyPem,
    minVersion: 'TLSv1.2',
  });
  contexts.set(identity, context);
  return context;
}
