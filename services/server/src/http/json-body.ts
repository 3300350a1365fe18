import { AppError } from '../errors/app-error.ts';

/** Bytes of a request body. The largest lawful one names 10,000 hosts. */
export const BODY_LIMIT_BYTES = 1024 * 1024;
/** Nesting of a request body. The deepest lawful one has 3; this leaves room, and stops work on hostile ones. */
export const BODY_DEPTH_LIMIT = 32;

/**
 * Parses a JSON body. Depth is counted before parsing, NUL bytes are refused wherever they are: Postgres stores none.
 *
 * @throws AppError `body_invalid`
 */
export function parseJsonBody(text: string): unknown {
  if (text.trim() === '') return {};
  if (depthOf(text) > BODY_DEPTH_LIMIT)
    throw new AppError('body_invalid', `the JSON is nested deeper than ${BODY_DEPTH_LIMIT} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text, (key, inner: unknown) => {
      if (key === '__proto__')
        throw new AppError('body_invalid', `the JSON has a field ${JSON.stringify(key)}, which no request has`);
      if (key.includes('\0') || (typeof inner === 'string' && inner.includes('\0'))) {
        throw new AppError('body_invalid', 'the JSON has a NUL character (\\u0000) in it');
      }
      return inner;
    });
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError(
      'body_invalid',
      `the body is not JSON: ${error instanceof Error ? error.message : String(error)}`,
      {},
      error,
    );
  }
  return value;
}

/** Deepest nesting of brackets outside of strings. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (inString) {
      if (character === '\\') index += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') deepest = Math.max(deepest, (depth += 1));
    else if (character === '}' || character === ']') depth -= 1;
  }
  return deepest;
}
