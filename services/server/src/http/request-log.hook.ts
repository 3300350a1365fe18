import type { Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../metrics/metrics.service.ts';
import { pathOf } from './problem.filter.ts';

/** Counts every request and logs it: changes at info, reads at debug. Never headers, query or body. */
export function requestLogHook(
  metrics: Metrics,
  logger: Logger,
): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  const seconds = metrics.histogram('modfleet_http_request_seconds', 'Time from request to end of answer, by route.', [
    'method',
    'route',
    'status',
  ]);
  return (request, reply) => {
    const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none');
    seconds.observe({ method: request.method, route, status: String(reply.statusCode) }, reply.elapsedTime / 1000);
    const line = {
      message: 'request',
      requestId: request.id,
      method: request.method,
      path: pathOf(request),
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      caller: request.caller?.name,
    };
    if (request.method === 'GET' || request.method === 'HEAD') logger.debug(line);
    else logger.log(line);
    return Promise.resolve();
  };
}
