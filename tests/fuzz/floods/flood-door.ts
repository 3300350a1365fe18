import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, type Settings } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { HostFacts, SERVER_TLS_NAME, SessionRequest } from '@modfleet/proto';
import { certificatePem } from '../../../services/server/src/ca/x509.ts';
import type { TestAgent } from '../../../services/server/src/testing/test-agent.ts';
import { framed } from '../grpc/attack.ts';

const SESSION = '/modfleet.agent.v1.SessionService/Session';

export type SaidToServer = NonNullable<SessionRequest['message']>;

/** The session listener, for somebody with an identity of the fleet and no manners. */
export class FloodDoor {
  readonly port: number;
  readonly #caPem: string;
  readonly #agent: TestAgent;
  readonly #localAddress: string;

  /** @param localAddress of the connections that are made. */
  constructor(address: string, caPem: string, agent: TestAgent, localAddress = '127.0.0.1') {
    this.port = Number(address.slice(address.lastIndexOf(':') + 1));
    this.#caPem = caPem;
    this.#agent = agent;
    this.#localAddress = localAddress;
  }

  /** A connection without TLS; whatever becomes of it is its own affair. */
  plain(): ReturnType<typeof connectTcp> {
    const socket = connectTcp({ port: this.port, host: '127.0.0.1', localAddress: this.#localAddress });
    return socket.on('error', () => undefined);
  }

  tls(): TLSSocket {
    const socket = connectTls({
      socket: this.plain(),
      ca: this.#caPem,
      key: this.#agent.keyPem,
      cert: certificatePem(this.#agent.certificate),
      servername: SERVER_TLS_NAME,
      ALPNProtocols: ['h2'],
    });
    return socket.on('error', () => undefined);
  }

  http2(settings: Settings = {}): ClientHttp2Session {
    const session = connectHttp2(`https://${SERVER_TLS_NAME}`, { createConnection: () => this.tls(), settings });
    return session.on('error', () => undefined);
  }

  /** A session stream on the connection. `end` is the gRPC status and words, or how the stream broke. */
  stream(
    session: ClientHttp2Session,
    headers: Readonly<Record<string, string>> = {},
  ): { readonly stream: ClientHttp2Stream; readonly end: Promise<string> } {
    const stream = session.request({
      ':method': 'POST',
      ':path': SESSION,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    const end = new Promise<string>((resolve) => {
      // The stream itself stays open as long as this end of it does: the server's status is the end of the call.
      const note = (fields: Record<string, unknown>): void => {
        if (fields['grpc-status'] !== undefined)
          resolve(`${String(fields['grpc-status'])} ${decodeURIComponent(String(fields['grpc-message'] ?? ''))}`);
      };
      stream.on('response', note).on('trailers', note);
      stream.on('error', (error) => resolve(error.message));
      stream.once('close', () => resolve('closed without a word'));
    });
    return { stream, end };
  }

  hello(): Buffer {
    return say({
      $case: 'hello',
      value: {
        facts: HostFacts.fromPartial(this.#agent.facts),
        facets: [],
        unacknowledgedResults: [],
        openActions: [],
        tombstonesDigest: Buffer.alloc(0),
        boottimeMs: 1,
        newestCommand: undefined,
        trust: undefined,
      },
    });
  }
}

/** A message of an agent, framed. */
export function say(message: SaidToServer): Buffer {
  return framed(Buffer.from(SessionRequest.encode({ message }).finish()), { flag: 0, length: undefined });
}
