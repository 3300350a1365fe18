/** "1 host", "2 hosts". */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

/** "a", "a and b", "a, b and c". */
export function list(items: readonly string[]): string {
  if (items.length <= 1) return items[0] ?? '';
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1) ?? ''}`;
}

/** An argument as it must be typed in a POSIX shell. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The first letter large. */
export function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A host as it can be typed in a command: its name, or its id where the name is none that a shell takes as it is. */
export function hostWord(host: { readonly id: string; readonly name: string }): string {
  return /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(host.name) ? host.name : host.id;
}
