import { connect as connectHttp2 } from 'node:http2';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { HostFacts, SERVER_TLS_NAME, SessionRequest } from '@modfleet/proto';
import { portOf } from './port-of.ts';

/** How far a client came: refused by TLS (or before HTTP/2), or answered with a gRPC status; `welcome` when it was let in. */
export type TlsEnd =
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'answered'; readonly status: number; readonly details: string }
  | { readonly kind: 'welcome' };

const SESSION_PATH = '/modfleet.agent.v1.SessionService/Session';
const LIMIT_MS = 20_000;

/** Opens a session with these TLS options and says Hello, as a client that is no agent of ours. */
export async function callSession(address: string, options: ConnectionOptions): Promise<TlsEnd> {
  const socket = connect(tlsOptions(address, options));
  const why = new Promise<TlsEnd>((resolve) => {
    socket.once('error', (error) => resolve({ kind: 'refused', why: error.message }));
    socket.once('close', () => setImmediate(resolve, { kind: 'refused', why: 'closed' }));
    socket.setTimeout(LIMIT_MS, () => resolve({ kind: 'refused', why: 'silence' }));
  });
  try {
    const secure = new Promise<'secure'>((resolve) => socket.once('secureConnect', () => resolve('secure')));
    const first = await Promise.race([why, secure]);
    return first === 'secure' ? await Promise.race([said(socket), why]) : first;
  } finally {
    socket.destroy();
  }
}

export function tlsOptions(address: string, options: ConnectionOptions): ConnectionOptions {
  const port = portOf(address);
  return {
    port,
    host: '127.0.0.1',
    servername: SERVER_TLS_NAME,
    ALPNProtocols: ['h2'],
    rejectUnauthorized: false,
    ...options,
  };
}

function said(socket: TLSSocket): Promise<TlsEnd> {
  return new Promise((resolve) => {
    const session = connectHttp2(`https://${SERVER_TLS_NAME}`, { createConnection: () => socket });
    session.on('error', () => undefined);
    const stream = session.request({
      ':method': 'POST',
      ':path': SESSION_PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const ended = (headers: Record<string, unknown>): void => {
      if (headers['grpc-status'] === undefined) return;
      resolve({
        kind: 'answered',
        status: Number(headers['grpc-status']),
        details: decodeURIComponent(String(headers['grpc-message'] ?? '')),
      });
    };
    stream
      .on('response', ended)
      .on('trailers', ended)
      .on('error', () => undefined);
    stream.once('data', () => resolve({ kind: 'welcome' }));
    stream.write(hello());
  });
}

function hello(): Buffer {
  const facts = HostFacts.fromPartial({ hostname: 'odd', bootId: 'boot-odd' });
  const value = {
    facts,
    facets: [],
    unacknowledgedResults: [],
    openActions: [],
    tombstonesDigest: Buffer.alloc(0),
    boottimeMs: 1,
    newestCommand: undefined,
    trust: undefined,
  };
  const message = SessionRequest.encode({ message: { $case: 'hello', value } }).finish();
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
