import { AppError } from '../errors/app-error.ts';
import { holdsSecret } from '../logging/logger.ts';

/** Bytes of a request body. The largest lawful one names 10,000 hosts. */
export const BODY_LIMIT_BYTES = 1024 * 1024;
/** Nesting of a request body. The deepest lawful one has 3; this leaves room, and stops work on hostile ones. */
export const BODY_DEPTH_LIMIT = 32;

/**
 * Parses a JSON body. Depth is counted before parsing, NUL bytes are refused wherever they are: Postgres stores none. A field given twice is
 * refused too: JSON.parse would take the last, and a proxy or a person may have read the first.
 *
 * @throws AppError `body_invalid`
 */
export function parseJsonBody(bytes: Uint8Array): unknown {
  const text = decode(bytes);
  if (text.trim() === '') return {};
  const { depth, repeated } = scan(text);
  if (depth > BODY_DEPTH_LIMIT)
    throw new AppError('body_invalid', `the JSON is nested deeper than ${BODY_DEPTH_LIMIT} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text, (key, inner: unknown) => {
      if (key === '__proto__')
        throw new AppError('body_invalid', `the JSON has a field ${JSON.stringify(key)}, which no request has`);
      if (key.includes('\0') || (typeof inner === 'string' && inner.includes('\0'))) {
        throw new AppError('body_invalid', 'the JSON has a NUL character (\\u0000) in it');
      }
      if (holdsSecret(key) || (typeof inner === 'string' && holdsSecret(inner))) {
        throw new AppError(
          'body_invalid',
          'the JSON holds a token or a private key, which no request takes there; nothing was stored. Revoke it if others may have seen it',
        );
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
  if (repeated !== undefined) throw new AppError('body_invalid', `the JSON has the field ${repeated} twice`);
  return value;
}

/** Bytes that are no UTF-8 would become U+FFFD, and something else than was sent would be stored. */
function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new AppError('body_invalid', 'the body is not UTF-8', {}, error);
  }
}

/** Deepest nesting of brackets outside of strings, and the first field that an object has twice, as a JSON string. */
function scan(text: string): { readonly depth: number; readonly repeated: string | undefined } {
  const open: (Set<string> | null)[] = [];
  let depth = 0;
  let repeated: string | undefined;
  let last = '';
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (character === '"') {
      const from = index;
      for (index += 1; index < text.length && text[index] !== '"'; index += 1) if (text[index] === '\\') index += 1;
      last = text.slice(from, index + 1);
    } else if (character === '{' || character === '[') {
      open.push(character === '{' ? new Set() : null);
      depth = Math.max(depth, open.length);
    } else if (character === '}' || character === ']') {
      open.pop();
    } else if (character === ':') {
      const fields = open.at(-1);
      const field = unescaped(last);
      if (fields?.has(field) === true) repeated ??= JSON.stringify(field);
      fields?.add(field);
    }
  }
  return { depth, repeated };
}

/** A field's name without escapes; as it is where it is no JSON string, which the parser then says. */
function unescaped(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1);
  try {
    return String(JSON.parse(quoted));
  } catch {
    return quoted;
  }
}
