import { createHash } from 'node:crypto';

/** SHA-256 over a JSON value with sorted keys: two requests are the same when their values are, however they are spelled. */
export function bodyDigest(value: unknown): Buffer {
  return createHash('sha256').update(canonicalJson(value)).digest();
}

/** JSON with the keys of every object in code unit order, and without undefined fields. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`);
    return `{${fields.join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
