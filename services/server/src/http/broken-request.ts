import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from '@nestjs/common';
import { AppError } from '../errors/app-error.ts';
import { toProblem } from '../errors/problem.ts';

/** What Node.js's parser refuses never becomes a request; it is answered with a problem document all the same. */
interface ParserError extends Error {
  readonly code?: string;
}

/**
 * Answers what is no HTTP, and closes: what follows on such a connection cannot be told apart from what was meant as body (request smuggling).
 * For the `clientError` event of node:http.
 */
export function answerBrokenRequest(logger: Logger): (error: ParserError, socket: Socket) => void {
  return (error, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const problem = toProblem(brokenRequestError(error), randomUUID());
    logger.debug({ requestId: problem.requestId, code: problem.code, status: problem.status, parser: error.code });
    const body = JSON.stringify(problem);
    socket.end(
      [
        `HTTP/1.1 ${problem.status} ${problem.title}`,
        `x-request-id: ${problem.requestId}`,
        'cache-control: no-store',
        'content-type: application/problem+json; charset=utf-8',
        `content-length: ${Buffer.byteLength(body)}`,
        'connection: close',
        '',
        body,
      ].join('\r\n'),
    );
  };
}

/** Codes of node:http's parser (https://nodejs.org/api/http.html#event-clienterror, llhttp's HPE_*). */
function brokenRequestError(error: ParserError): AppError {
  if (error.code === 'HPE_HEADER_OVERFLOW')
    return new AppError('headers_too_large', 'the headers, or the URL, are longer than 16 KiB in all');
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new AppError('request_malformed', 'the request did not come in whole within 30 seconds');
  return new AppError('request_malformed', 'this is no HTTP/1.1 request, or not a whole one');
}

/** For the `checkExpectation` event of node:http: Expect has one value that anybody uses, and that one is served without this. */
export function refuseExpectation(request: IncomingMessage, response: ServerResponse): void {
  const problem = toProblem(
    new AppError('request_malformed', 'the Expect header takes 100-continue and nothing else'),
    randomUUID(),
  );
  const body = JSON.stringify(problem);
  request.resume();
  response.writeHead(problem.status, {
    'content-length': Buffer.byteLength(body),
    'x-request-id': problem.requestId,
    'cache-control': 'no-store',
    'content-type': 'application/problem+json; charset=utf-8',
    connection: 'close',
  });
  response.end(body);
}
