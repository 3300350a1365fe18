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

/** A text or number as text; empty for anything else. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}

/** `name value` when there is a value, nothing otherwise. */
export function pair(name: string, value: unknown): string[] {
  const text = textOf(value);
  return text === '' ? [] : [name, text];
}
