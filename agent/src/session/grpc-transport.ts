import { Metadata, credentials, status } from '@grpc/grpc-js';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { SERVER_TLS_NAME, SessionServiceClient } from '@modfleet/proto';
import type { SessionRequest, SessionResponse } from '@modfleet/proto';
import type { HostIdentity } from '../identity/host-identity.ts';
import type { SessionTransport, ToServer, TransportEnd } from './transport.ts';

/** The server never sends more: the largest message is an action request. */
const MAX_RECEIVE_BYTES = 1024 * 1024;

/** Channel options; grpc-js names them. */
const CHANNEL_OPTIONS = {
  'grpc.ssl_target_name_override': SERVER_TLS_NAME,
  'grpc.default_authority': SERVER_TLS_NAME,
  // Off by default, and a dead network would not be noticed for hours.
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.enable_channelz': 0,
  // Each transport has a connection of its own; without this a second client would silently reuse the first one's socket.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_retries': 0,
  'grpc.max_receive_message_length': MAX_RECEIVE_BYTES,
} as const;

/** Where the session listener is. */
export interface SessionAddress {
  readonly host: string;
  readonly port: number;
}

/** Opens the session stream with mutual TLS: the pinned CA is the only root. */
export function connectGrpc(address: SessionAddress, identity: HostIdentity, keyPem: string): SessionTransport {
  const channelCredentials = credentials.createSsl(
    Buffer.from(identity.caPem),
    Buffer.from(keyPem),
    Buffer.from(identity.certificatePem),
  );
  const client = new SessionServiceClient(targetOf(address), channelCredentials, CHANNEL_OPTIONS);
  return new GrpcTransport(client.session(new Metadata({ waitForReady: false })), () => client.close());
}

/** What grpc-js wraps around the cause of a failed connection says nothing to people. */
function plainWords(details: string): string {
  return details
    .replace(/^No connection established\. Last error: (?:Error: )?/, '')
    .replace(/\.? ?Resolution note: $/, '');
}

function targetOf({ host, port }: SessionAddress): string {
  return host.includes(':') ? `ipv6:[${host}]:${port}` : `dns:${host}:${port}`;
}

class GrpcTransport implements SessionTransport {
  readonly end: Promise<TransportEnd>;
  readonly #call: ClientDuplexStream<SessionRequest, SessionResponse>;
  readonly #closeClient: () => void;
  #ended = false;
  #finish!: (end: TransportEnd) => void;
  #closing = false;

  constructor(call: ClientDuplexStream<SessionRequest, SessionResponse>, closeClient: () => void) {
    this.#call = call;
    this.#closeClient = closeClient;
    this.end = new Promise((resolve) => (this.#finish = resolve));
    call.on('error', () => undefined); // `status` follows and says the same.
    call.on('status', ({ code, details }) => {
      if (this.#closing) this.#finishOnce({ kind: 'closed' });
      else
        this.#finishOnce(
          code === status.OK ? { kind: 'ended' } : { kind: 'failed', code, details: plainWords(details) },
        );
    });
  }

  onMessage(listener: (message: SessionResponse['message']) => void): void {
    this.#call.on('data', (response: SessionResponse) => listener(response.message));
  }

  send(message: ToServer): Promise<void> {
    if (this.#ended || this.#closing || this.#call.write({ message })) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#call.off('drain', done);
        resolve();
      };
      this.#call.once('drain', done);
      void this.end.then(done);
    });
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#call.end();
    this.#call.cancel();
    this.#finishOnce({ kind: 'closed' });
  }

  remoteAddress(): string | undefined {
    const match = /^(?:ipv[46]:)?(?:\[(?<v6>[^\]]+)\]|(?<v4>[\d.]+)):\d+$/.exec(this.#call.getPeer());
    return match?.groups?.['v6'] ?? match?.groups?.['v4'];
  }

  #finishOnce(end: TransportEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#closeClient();
    this.#finish(end);
  }
}
