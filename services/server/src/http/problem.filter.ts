import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import { KmodNameError } from '@modfleet/proto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { methodsOf } from '../access/route-table.ts';
import { DatabaseUnavailableError, explained } from '../database/database.errors.ts';
import { AppError } from '../errors/app-error.ts';
import { toProblem } from '../errors/problem.ts';
import { withoutSecrets } from '../logging/logger.ts';
import { SelectorError } from '../selectors/selector.ast.ts';

/** Turns whatever was thrown into one problem document, and logs it once under the request's id. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #logger = new Logger('http');

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    sendProblem(thrown, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>(), this.#logger);
  }
}

/** Answers with the problem document of `thrown`. */
export function sendProblem(thrown: unknown, request: FastifyRequest, reply: FastifyReply, logger: Logger): void {
  const error = toAppError(thrown, request);
  const problem = toProblem(error, request.id);
  request.refusedWith = error.code;
  const fields = {
    requestId: request.id,
    code: error.code,
    status: problem.status,
    method: request.method,
    path: pathOf(request),
  };
  if (error.code === 'internal' || error.code === 'audit_unavailable') logger.error({ ...fields, err: thrown });
  else if (problem.status >= 500) logger.warn({ ...fields, detail: error.message });
  else logger.debug({ ...fields, detail: error.message });
  if (reply.sent || reply.raw.headersSent) {
    reply.raw.destroy();
    return;
  }
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer realm="modfleet"');
  if (problem.retryAfterSeconds !== undefined) reply.header('retry-after', String(problem.retryAfterSeconds));
  void reply
    .status(problem.status)
    // What fails before the first hook has none yet.
    .header('x-request-id', request.id)
    .header('cache-control', 'no-store')
    .header('content-type', 'application/problem+json; charset=utf-8')
    .send(withoutSecrets(JSON.stringify(problem)));
}

/** The path without its query: queries may hold what people search for. */
export function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? '';
}

/** What a caller is told of an error; anything not known is `internal`, without its text. */
export function toAppError(thrown: unknown, request: Pick<FastifyRequest, 'method' | 'url'>): AppError {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof KmodNameError) return new AppError('kmod_name_invalid', thrown.message, {}, thrown);
  if (thrown instanceof SelectorError)
    return new AppError('selector_invalid', thrown.message, { offset: thrown.offset }, thrown);
  const away = explained(thrown);
  if (away instanceof DatabaseUnavailableError) {
    const detail =
      away.code === 'overloaded'
        ? 'The server has too much to do just now. Try again in a moment.'
        : 'The database cannot be reached just now. Try again in a moment.';
    return new AppError(away.code, detail, { retryAfterSeconds: away.retryAfterSeconds }, thrown);
  }
  if (codeOf(thrown) === 'FST_ERR_BAD_URL')
    return new AppError('query_invalid', 'the URL has a % that begins no character', {}, thrown);
  const status = statusOf(thrown);
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  const path = request.url.split('?', 1)[0] ?? '';
  switch (status) {
    case 404: {
      const methods = methodsOf(path);
      if (methods.length > 0)
        return new AppError(
          'method_not_allowed',
          `${path.slice(0, 200)} has no ${request.method}, but ${methods.join(', ')}`,
        );
      return new AppError(
        'not_found',
        `there is no ${request.method} ${path.slice(0, 200)}; GET /api/v1/openapi.json lists what there is`,
        {},
        thrown,
      );
    }
    case 405:
      return new AppError('method_not_allowed', `${path.slice(0, 200)} has no ${request.method}`, {}, thrown);
    case 413:
      return new AppError('body_too_large', 'the request body is larger than 1 MiB', {}, thrown);
    case 415:
      return new AppError('content_type_unsupported', 'send the body as Content-Type: application/json', {}, thrown);
    case 400:
      return new AppError('body_invalid', detail, {}, thrown);
    case 414:
      return new AppError('query_invalid', 'the URL is too long', {}, thrown);
    case 503:
      return new AppError(
        'overloaded',
        'The server has too much to do just now. Try again in a moment.',
        { retryAfterSeconds: 2 },
        thrown,
      );
    default:
      return new AppError('internal', 'The server met a fault of its own; its log has this request id.', {}, thrown);
  }
}

function statusOf(thrown: unknown): number {
  if (thrown instanceof HttpException) return thrown.getStatus();
  if (typeof thrown === 'object' && thrown !== null && 'statusCode' in thrown && typeof thrown.statusCode === 'number')
    return thrown.statusCode;
  return 500;
}

function codeOf(thrown: unknown): unknown {
  return typeof thrown === 'object' && thrown !== null && 'code' in thrown ? thrown.code : undefined;
}
