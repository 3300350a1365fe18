import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ServerConfig } from '../config/server-config.ts';
import { AppError } from '../errors/app-error.ts';
import { answerBrokenRequest, refuseExpectation } from './broken-request.ts';
import { BODY_LIMIT_BYTES, parseJsonBody } from './json-body.ts';
import { setSecurityHeaders } from './security-headers.ts';
import { sendProblem } from './problem.filter.ts';

/** Whole of a request must have come in by then; answers may take as long as they want (event streams). */
const REQUEST_TIMEOUT_MS = 30_000;
/** Longest name in a path that still gets its own error instead of "not found". */
const MAX_PARAM_LENGTH = 1_024;

/** JSON, in UTF-8 where a charset is named at all. */
const JSON_TYPE = /^application\/([a-z0-9.-]+\+)?json\s*(;\s*charset\s*=\s*"?utf-?8"?\s*)?;?$/i;

/** Key and chain (PEM) of the API's listener; null for plain HTTP. */
export interface HttpIdentity {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Node.js's own answer to a request without Host has no body; `requireHost` gives one. */
const NODE_HTTP = { requireHostHeader: false } as const;

type HttpConfig = Pick<ServerConfig, 'trustedProxy' | 'httpTls'>;

/** Fastify with our limits: JSON only, bounded bodies, an id for each request, problem documents even for what never reaches a route. */
export function createFastifyAdapter(config: HttpConfig, identity: HttpIdentity | null): FastifyAdapter {
  const logger = new Logger('http');
  const adapter = new FastifyAdapter({
    logger: false,
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    trustProxy: config.trustedProxy ?? false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      setSecurityHeaders(reply, config.httpTls?.kind === 'files');
      sendProblem(error, request, reply, logger);
    },
    clientErrorHandler: answerBrokenRequest(logger),
    ...(identity === null ? { http: NODE_HTTP } : { https: { ...identity, ...NODE_HTTP, minVersion: 'TLSv1.2' } }),
  });
  const fastify = adapter.getInstance();
  fastify.server.on('checkExpectation', refuseExpectation);
  fastify.addHook('onRequest', requireHost);
  fastify.decorateRequest('caller', null);
  fastify.decorateRequest('decision', null);
  fastify.decorateRequest('refusedWith', null);
  fastify.decorateRequest('idempotencyKey', null);
  fastify.decorateRequest('authenticateAgain', null);
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser(JSON_TYPE, { parseAs: 'buffer' }, (request, body, done) => {
    try {
      refuseEncoded(request.headers['content-encoding']);
      done(null, parseJsonBody(typeof body === 'string' ? Buffer.from(body) : body));
    } catch (error) {
      done(error instanceof Error ? error : new AppError('body_invalid', 'the body is not JSON'), undefined);
    }
  });
  return adapter;
}

/** RFC 9112 section 3.2. */
async function requireHost(request: FastifyRequest): Promise<void> {
  if (request.raw.httpVersion !== '1.1' || request.headers.host !== undefined) return;
  throw new AppError('request_malformed', 'an HTTP/1.1 request names its Host');
}

/** Packed bytes would only be "not JSON"; unpacking them would let a small body become a huge one. */
function refuseEncoded(encoding: string | undefined): void {
  const named = encoding?.trim().toLowerCase() ?? '';
  if (named === '' || named === 'identity') return;
  throw new AppError(
    'content_type_unsupported',
    `send the body as it is: Content-Encoding ${JSON.stringify(named.slice(0, 40))} is not read here`,
  );
}
