/** Reading `ip -j`: JSON whose every field may be missing. */

export type Fields = Readonly<Record<string, unknown>>;

/** The objects of a JSON list; undefined when the text is no JSON list (busybox's `ip`, an error). */
export function parseList(text: string): Fields[] | undefined {
  try {
    const value: unknown = JSON.parse(text === '' ? '[]' : text);
    return Array.isArray(value) ? value.map(fieldsOf) : undefined;
  } catch {
    return undefined;
  }
}

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Names of fields, from texts with a space between each two. */
export function names(...texts: readonly string[]): ReadonlySet<string> {
  return new Set(texts.flatMap((text) => text.split(' ')));
}

/** A text or number as text; empty for anything else. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}

/** `name value` when there is a value, nothing otherwise. */
export function pair(name: string, value: unknown): string[] {
  const text = textOf(value);
  return text === '' ? [] : [name, text];
}

/** Any value as one text: words as `ip` takes them where it has some for it. */
export function plainText(value: unknown): string {
  if (value === null) return 'none';
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value.join(',');
  return textOf(value) === '' ? (JSON.stringify(value) ?? '') : textOf(value);
}

/** Fields that nobody here has a word for, as `name=value`: what has one can be compared and is never made again. */
export function strangeFields(fields: Fields, known: ReadonlySet<string>): string[] {
  return Object.entries(fields)
    .filter(([name]) => !known.has(name))
    .map(([name, value]) => `${name}=${plainText(value)}`);
}
