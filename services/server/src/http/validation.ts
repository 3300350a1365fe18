import { type ArgumentMetadata, Injectable, type PipeTransform } from '@nestjs/common';
import { AppError } from '../errors/app-error.ts';
import { ERROR_TABLE, type ErrorCode } from '../errors/error-table.ts';
import { useOurWords } from './issue-words.ts';

/** One issue of a Standard Schema; zod's custom issues carry `params.code`, the error code they stand for. */
interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

const ISSUES_SHOWN = 20;

useOurWords();

/** Validates what a route declares a schema for, and answers each issue by path. */
@Injectable()
export class ValidationPipe implements PipeTransform {
  async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    const schema = metadata.schema;
    if (schema === undefined) return value;
    const result = await schema['~standard'].validate(value ?? (metadata.type === 'body' ? {} : value));
    if (result.issues === undefined) return result.value;
    throw validationError(result.issues, metadata.type);
  }
}

/** The error of some issues: the first that stands for a code of its own decides, else `body_invalid` or `query_invalid`. */
export function validationError(issues: readonly Issue[], where: ArgumentMetadata['type']): AppError {
  const errors = issues.slice(0, ISSUES_SHOWN).map((issue) => ({ path: pathOf(issue), message: issue.message }));
  const code =
    issues.map(codeOf).find((found) => found !== undefined) ?? (where === 'body' ? 'body_invalid' : 'query_invalid');
  const first = errors[0] ?? { path: '', message: 'is not valid' };
  const more = errors.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  const subject = /^(is|takes) /.test(first.message)
    ? `${first.path || `the ${where}`} `
    : first.path && `${first.path}: `;
  const detail =
    first.path !== '' && first.message.startsWith(`${first.path} `)
      ? `${first.message}${more}`
      : `${subject}${first.message}${more}`;
  return new AppError(code, detail, { errors });
}

function codeOf(issue: Issue): ErrorCode | undefined {
  const params: unknown = 'params' in issue ? issue.params : undefined;
  if (typeof params !== 'object' || params === null || !('code' in params)) return undefined;
  const code = params.code;
  return typeof code === 'string' && Object.hasOwn(ERROR_TABLE, code) ? (code as ErrorCode) : undefined;
}

function pathOf(issue: Issue): string {
  return (issue.path ?? []).map((segment) => String(typeof segment === 'object' ? segment.key : segment)).join('.');
}
