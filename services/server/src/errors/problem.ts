import type { z } from 'zod';
import type { problemSchema } from '../http/common.schema.ts';
import { AppError } from './app-error.ts';
import { ERROR_TABLE } from './error-table.ts';

export type Problem = z.output<typeof problemSchema>;

/** The problem document (RFC 9457) of an error. */
export function toProblem(error: AppError, requestId: string): Problem {
  const row = ERROR_TABLE[error.code];
  const { errors, offset, candidates, retryAfterSeconds } = error.fields;
  return {
    type: `urn:modfleet:problem:${error.code}`,
    title: row.title,
    status: row.http,
    detail: error.message,
    code: error.code,
    requestId,
    ...(errors === undefined ? {} : { errors: errors.map(({ path, message }) => ({ path, message })) }),
    ...(offset === undefined ? {} : { offset }),
    ...(candidates === undefined ? {} : { candidates: [...candidates] }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  };
}
