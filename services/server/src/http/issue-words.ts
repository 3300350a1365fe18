import { z } from 'zod';

/** What zod tells of an issue before it has words. */
type RawIssue = Parameters<z.core.$ZodErrorMap>[0];

/**
 * Words of validation issues for people; undefined leaves zod's own. A schema's own message comes before these. A sentence without its field:
 * the path is set before it.
 */
export function wordsOf(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return 'is missing';
      if (Array.isArray(issue.input) && issue.expected === 'string') return 'takes one text, and here are several';
      return `takes ${nameOf(issue.expected)}, not ${kindOf(issue.input)}`;
    case 'invalid_value':
      if (issue.input === undefined) return `is missing: it is one of ${listOf(issue.values)}`;
      return issue.values.length === 1
        ? `takes ${listOf(issue.values)} only`
        : `takes one of ${listOf(issue.values)}${typeof issue.input === 'string' ? `, not ${quoted(issue.input)}` : ''}`;
    case 'unrecognized_keys':
      return `there is no field ${issue.keys.map(quoted).join(', ')} here`;
    case 'too_small':
      return issue.origin === 'string' && issue.minimum === 1
        ? 'is empty'
        : `takes at least ${amount(issue.minimum, issue.origin)}`;
    case 'too_big':
      return `takes at most ${amount(issue.maximum, issue.origin)}`;
    case 'invalid_key':
      return issue.issues[0]?.message;
    default:
      return undefined;
  }
}

/** Tells zod to use our words, in this process. */
export function useOurWords(): void {
  z.config({ customError: wordsOf });
}

function nameOf(expected: string): string {
  switch (expected) {
    case 'string':
      return 'a text';
    case 'boolean':
      return 'true or false';
    case 'int':
      return 'a whole number';
    case 'array':
      return 'a list';
    case 'object':
    case 'record':
      return 'an object with fields';
    default:
      return `a ${expected}`;
  }
}

function kindOf(input: unknown): string {
  if (input === null) return 'null';
  if (Array.isArray(input)) return 'a list';
  if (typeof input === 'string') return quoted(input);
  return typeof input === 'object' ? 'an object' : String(input);
}

function amount(limit: number | bigint, origin: string): string {
  if (origin === 'string') return `${limit} characters`;
  return origin === 'array' || origin === 'set' ? `${limit} items` : String(limit);
}

function listOf(values: readonly unknown[]): string {
  return values.map(String).join(', ');
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}
