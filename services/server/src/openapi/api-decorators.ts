import { applyDecorators } from '@nestjs/common';
import { ApiExtension, ApiHeader, ApiResponse, type ApiResponseOptions } from '@nestjs/swagger';
import type { ZodType } from 'zod';
import { ERROR_TABLE, type ErrorCode } from '../errors/error-table.ts';

/** Marks operations for openapi-document.ts. */
export const EXPORT_EXTENSION = 'x-export';
export const STREAM_EXTENSION = 'x-stream';

/** Documents an answer. Tests check that what a route answers is what its schema says. */
export function ApiAnswer(status: number, schema: ZodType, description: string): MethodDecorator {
  return applyDecorators(ApiResponse({ status, description, standardSchema: schema }));
}

/** Documents an answer that is streamed: such a thing in each event, or on each line. */
export function ApiStream(schema: ZodType, description: string): MethodDecorator {
  return applyDecorators(ApiAnswer(200, schema, description), ApiExtension(STREAM_EXTENSION, true));
}

/** Documents that the list is also given whole, as CSV or one JSON object a line, to whoever asks for those types. */
export function ApiExport(): MethodDecorator {
  return ApiExtension(EXPORT_EXTENSION, true);
}

/** Errors that every route with a token may answer. */
const COMMON: readonly ErrorCode[] = [
  'unauthenticated',
  'token_expired',
  'token_revoked',
  'session_ended',
  'account_disabled',
  'access_seal_broken',
  'forbidden',
  'rate_limited',
  'database_unavailable',
  'overloaded',
  'internal',
];

/** Documents the errors of a route: those named and those that every route with a token has; grouped by status, as OpenAPI wants it. */
export function ApiProblems(...codes: readonly ErrorCode[]): MethodDecorator {
  return problems(codes, PROBLEM_DOCUMENT);
}

/** The same, for a route that a browser may be sent to: it shows them as a page where that is what is asked for. */
export function ApiProblemsOrPage(...codes: readonly ErrorCode[]): MethodDecorator {
  return problems(codes, { ...PROBLEM_DOCUMENT, 'text/html': { schema: { type: 'string' } } });
}

const PROBLEM_DOCUMENT = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };

function problems(codes: readonly ErrorCode[], content: NonNullable<ApiResponseOptions['content']>): MethodDecorator {
  const byStatus = Map.groupBy([...new Set([...codes, ...COMMON])], (code) => ERROR_TABLE[code].http);
  const responses = [...byStatus].map(([status, group]) =>
    ApiResponse({
      status,
      description: group.map((code) => `\`${code}\`: ${ERROR_TABLE[code].title}.`).join(' '),
      content,
    }),
  );
  return applyDecorators(ApiExtension('x-problems', [...codes]), ...responses);
}

/** What every route that takes a JSON body may answer. */
export const BODY_PROBLEMS = [
  'body_invalid',
  'body_too_large',
  'content_type_unsupported',
] as const satisfies readonly ErrorCode[];

/** Documents a change: it needs an Idempotency-Key and a JSON body. */
export function ApiChange(...codes: readonly ErrorCode[]): MethodDecorator {
  return applyDecorators(
    ApiHeader({
      name: 'Idempotency-Key',
      required: true,
      description: 'A new id for a new request, the same again for its retry. Kept for 48 hours.',
      schema: { type: 'string', minLength: 1, maxLength: 255 },
    }),
    ApiProblems(
      'idempotency_key_required',
      'query_invalid',
      'idempotency_in_flight',
      'idempotency_mismatch',
      'cross_site',
      ...BODY_PROBLEMS,
      ...codes,
    ),
  );
}
