import { connect, constants } from 'node:http2';
import type { ClientHttp2Session, IncomingHttpHeaders } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { SERVER_TLS_NAME } from '@modfleet/proto';
import { IdentityCallError } from './identity-errors.ts';

/** Longest answer of the identity service: two certificates and some words. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** gRPC frames a message with one byte of flags and four of length. */
const FRAME_HEADER_BYTES = 5;

/** gRPC status codes that are made here (grpc.io, "Status codes and their use"). */
const STATUS = { unknown: 2, deadlineExceeded: 4, unavailable: 14 } as const;

/** One unary method, as ts-proto describes it. */
export interface UnaryMethod<Q, A> {
  readonly path: string;
  readonly requestSerialize: (request: Q) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => A;
}

/**
 * Unary gRPC calls over a connection that was verified before. grpc-js opens its own sockets, and so cannot be given a server whose certificate was
 * pinned, or checked without dates; the protocol of one unary call is a POST with a framed message and trailers.
 */
export class UnaryChannel {
  readonly #session: ClientHttp2Session;

  constructor(socket: TLSSocket) {
    this.#session = connect(`https://${SERVER_TLS_NAME}`, { createConnection: () => socket });
    // Every call reports the end of its stream; without a listener the event would end the process.
    this.#session.on('error', () => undefined);
  }

  close(): void {
    this.#session.destroy();
  }

  /** @throws IdentityCallError with the server's status and words. */
  call<Q, A>(method: UnaryMethod<Q, A>, request: Q, timeoutMs: number): Promise<A> {
    return new Promise((resolve, reject) => {
      const message = method.requestSerialize(request);
      const frame = Buffer.alloc(FRAME_HEADER_BYTES + message.length);
      frame.writeUInt32BE(message.length, 1);
      message.copy(frame, FRAME_HEADER_BYTES);
      const stream = this.#session.request({
        ':method': 'POST',
        ':path': method.path,
        'content-type': 'application/grpc',
        te: 'trailers',
        'grpc-timeout': `${timeoutMs}m`,
      });
      let headers: IncomingHttpHeaders = {};
      const received: Buffer[] = [];
      let bytes = 0;
      const fail = (status: number, words: string): void => {
        stream.close(constants.NGHTTP2_CANCEL);
        reject(new IdentityCallError(status, words));
      };
      stream.setTimeout(timeoutMs, () => fail(STATUS.deadlineExceeded, `no answer within ${timeoutMs} ms`));
      stream.on('response', (got) => (headers = { ...headers, ...got }));
      stream.on('trailers', (got) => (headers = { ...headers, ...got }));
      stream.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_ANSWER_BYTES) fail(STATUS.unknown, 'the answer is too long');
        else received.push(chunk);
      });
      stream.on('error', (error) =>
        reject(new IdentityCallError(STATUS.unavailable, `the connection failed: ${error.message}`)),
      );
      stream.on('close', () => {
        try {
          resolve(method.responseDeserialize(answerOf(headers, Buffer.concat(received))));
        } catch (error) {
          reject(
            error instanceof IdentityCallError
              ? error
              : new IdentityCallError(STATUS.unknown, 'the answer cannot be read'),
          );
        }
      });
      stream.end(frame);
    });
  }
}

function answerOf(headers: IncomingHttpHeaders, body: Buffer): Buffer {
  const status = headers['grpc-status'];
  if (status === undefined) throw new IdentityCallError(STATUS.unavailable, 'the connection ended without an answer');
  if (status !== '0')
    throw new IdentityCallError(
      Number(status),
      decodeURIComponent(String(headers['grpc-message'] ?? 'no reason given')),
    );
  if (body.length < FRAME_HEADER_BYTES || body[0] !== 0 || body.readUInt32BE(1) !== body.length - FRAME_HEADER_BYTES) {
    throw new IdentityCallError(STATUS.unknown, 'the answer is cut off');
  }
  return body.subarray(FRAME_HEADER_BYTES);
}
