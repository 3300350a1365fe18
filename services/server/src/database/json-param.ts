/** Half of a surrogate pair, as JSON.stringify writes it. */
const HALF = /\\ud[89a-f]/;

/** A value as a parameter of type jsonb, which takes no half of a surrogate pair: encoded as UTF-8, as text is, it is U+FFFD. */
export function jsonParam(value: unknown): string {
  const text = JSON.stringify(value);
  return HALF.test(text) ? JSON.stringify(value, wellFormed) : text;
}

function wellFormed(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed() : value;
}
