/** Postgres stores no NUL in text: a kmod's description that holds one is shown without. */
export function clean(text: string): string {
  return text.replaceAll('\0', '');
}

export function cleanJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'string' ? clean(item) : item));
}
