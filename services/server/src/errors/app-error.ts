import type { ErrorCode } from './error-table.ts';

/** What a problem document says beside code and detail. */
export interface ProblemFields {
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
  /** Character of the selector at which it is wrong, from 0. */
  readonly offset?: number;
  /** What may have been meant. */
  readonly candidates?: readonly string[];
  /** Seconds after which a retry makes sense. */
  readonly retryAfterSeconds?: number;
}

/** An error that a caller is told: a stable code and one sentence with the way out. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly fields: ProblemFields;

  constructor(code: ErrorCode, detail: string, fields: ProblemFields = {}, cause?: unknown) {
    super(detail, cause === undefined ? undefined : { cause });
    this.name = 'AppError';
    this.code = code;
    this.fields = fields;
  }
}
