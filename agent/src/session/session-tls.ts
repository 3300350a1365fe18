import { connect, type TLSSocket } from 'node:tls';
import { SERVER_TLS_NAME } from '@modfleet/proto';
import type { HostIdentity } from '../identity/host-identity.ts';

/** Where the session listener is. */
export interface SessionAddress {
  readonly host: string;
  readonly port: number;
}

/** A new connection to the session listener with mutual TLS. The pinned CA is the only root, and the peer has to be `modfleet-server` of it. */
export function connectToSessionListener(
  { host, port }: SessionAddress,
  identity: HostIdentity,
  keyPem: string,
): TLSSocket {
  return connect({
    host,
    port,
    servername: SERVER_TLS_NAME,
    ca: identity.caPem,
    cert: identity.certificatePem,
    key: keyPem,
    ALPNProtocols: ['h2'],
    minVersion: 'TLSv1.2',
  });
}
