/**
 * The session stream: one bidirectional gRPC call over one TLS connection, with Node's own HTTP/2. No gRPC library: it would be a third of the
 * resident program's memory, and what it adds (pools, balancing, retries) an agent must not have (docs/adr/0023).
 *
 * INVARIANTS
 * - A transport has a connection of its own, made for it and ended with it.
 * - The peer has proven to be `modfleet-server` of the kept CA, the only root, before a byte of gRPC is sent.
 * - `end` resolves once, whatever ends first: the call, the stream, the connection.
 */
import { connect as connectHttp2, constants } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { SERVER_TLS_NAME, SessionRequest, SessionResponse, SessionServiceService } from '@modfleet/proto';
import { messageOf } from '../error-words.ts';
import type { Credentials } from '../identity/kept-identity.ts';
import { FrameReader, frameOf } from './grpc-frames.ts';
import { connectToSessionListener, type SessionAddress, type SessionConnection } from './session-tls.ts';
import type { ConnectionAddresses, SessionTransport, ToAgent, ToServer, TransportEnd } from './transport.ts';

/** The server never sends more: the largest message is an action request. */
const MAX_RECEIVE_BYTES = 1024 * 1024;

/** A peer that vanished is noticed by the kernel this long after the last byte, ms, plus ten probes a second apart. */
const TCP_KEEPALIVE_MS = 15_000;

/** gRPC status codes that are made or read here (grpc.io, "Status codes and their use"). */
const STATUS = { ok: 0, unknown: 2, internal: 13, unavailable: 14 } as const;

/** Opens the session stream over a connection of its own. */
export function connectSession(address: SessionAddress, credentials: Credentials): SessionTransport {
  return new H2Transport(connectToSessionListener(address, credentials));
}

class H2Transport implements SessionTransport {
  readonly end: Promise<TransportEnd>;
  readonly #socket: TLSSocket;
  readonly #reader = new FrameReader(MAX_RECEIVE_BYTES);
  readonly #opened: Promise<ClientHttp2Stream | undefined>;
  #http2: ClientHttp2Session | undefined;
  /** The peer has proven who it is. */
  #met = false;
  #listener: (message: ToAgent) => void = () => undefined;
  #finish!: (end: TransportEnd) => void;
  #ended = false;

  constructor({ socket, proven }: SessionConnection) {
    this.#socket = socket;
    this.end = new Promise((resolve) => (this.#finish = resolve));
    socket.setKeepAlive(true, TCP_KEEPALIVE_MS);
    // Small messages that are waited for.
    socket.setNoDelay(true);
    this.#opened = proven.then(
      () => {
        this.#met = true;
        socket.on('error', (error) => this.#fail(error.message));
        socket.on('close', () => this.#fail('the connection ended'));
        return this.#ended ? undefined : this.#open();
      },
      (error: unknown) => {
        this.#fail(messageOf(error));
        return undefined;
      },
    );
  }

  onMessage(listener: (message: ToAgent) => void): void {
    this.#listener = listener;
  }

  async ready(): Promise<void> {
    await this.#opened;
  }

  async send(message: ToServer): Promise<void> {
    const stream = await this.#opened;
    if (stream === undefined || this.#ended) return;
    if (stream.write(frameOf(SessionRequest.encode({ message }).finish()))) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        stream.off('drain', done);
        resolve();
      };
      stream.once('drain', done);
      void this.end.then(done);
    });
  }

  close(): void {
    this.#finishOnce({ kind: 'closed' });
  }

  addresses(): ConnectionAddresses | undefined {
    const { localAddress, remoteAddress } = this.#socket;
    return remoteAddress === undefined ? undefined : { local: plainV4(localAddress), remote: plainV4(remoteAddress) };
  }

  #open(): ClientHttp2Stream {
    const http2 = connectHttp2(`https://${SERVER_TLS_NAME}`, { createConnection: () => this.#socket });
    this.#http2 = http2;
    http2.on('error', (error: Error) => this.#fail(error.message));
    const stream = http2.request({
      ':method': 'POST',
      ':path': SessionServiceService.session.path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-encoding': 'gzip',
      'grpc-accept-encoding': 'identity',
    });
    stream.on('response', (headers) => this.#heard(headers));
    stream.on('trailers', (headers) => this.#heard(headers));
    stream.on('data', (bytes: Buffer) => this.#read(bytes));
    stream.on('error', (error: Error) => this.#fail(error.message));
    stream.on('close', () => this.#fail(resetWords(stream.rstCode)));
    return stream;
  }

  /** Headers and trailers: either may carry the call's status. */
  #heard(headers: IncomingHttpHeaders): void {
    const http = headers[':status'];
    if (http !== undefined && Number(http) !== 200) {
      this.#fail(`the server answers with HTTP status ${http}: is another service behind this port?`);
      return;
    }
    const status = headers['grpc-status'];
    if (status === undefined) return;
    if (Number(status) === STATUS.ok) this.#finishOnce({ kind: 'ended' });
    else
      this.#finishOnce({
        kind: 'failed',
        code: codeOf(status),
        details: wordsOf(headers['grpc-message']),
        met: true,
        answered: true,
      });
  }

  #read(bytes: Buffer): void {
    if (this.#ended) return;
    for (const message of this.#messages(bytes)) this.#listener(message);
  }

  #messages(bytes: Buffer): ToAgent[] {
    try {
      return this.#reader.push(bytes).map((message) => SessionResponse.decode(message).message);
    } catch (error) {
      this.#fail(`what the server sends cannot be read: ${messageOf(error)}`, STATUS.internal);
      return [];
    }
  }

  #fail(details: string, code: number = STATUS.unavailable): void {
    this.#finishOnce({ kind: 'failed', code, details, met: this.#met, answered: false });
  }

  #finishOnce(end: TransportEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#finish(end);
    this.#http2?.destroy();
    this.#socket.destroy();
  }
}

/** An IPv4 address as such, also where the socket is of IPv6. */
function plainV4<T extends string | undefined>(address: T): T {
  return address?.replace(/^::ffff:(?=\d+\.)/, '') as T;
}

function codeOf(status: string | string[]): number {
  const code = Number(status);
  return Number.isInteger(code) ? code : STATUS.unknown;
}

function wordsOf(message: string | string[] | undefined): string {
  const text = String(message ?? 'no reason given');
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function resetWords(rstCode: number): string {
  return rstCode === constants.NGHTTP2_NO_ERROR
    ? 'the connection ended'
    : `the server reset the stream (HTTP/2 error ${rstCode})`;
}
