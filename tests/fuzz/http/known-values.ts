/**
 * Values that exist on the server: hosts, kmods, ids of what was made. A generated request holds placeholders, so that what is generated follows from the
 * seed alone; the values are put in when it is sent.
 */

/** Private-use characters: no schema generates them. */
const PLACEHOLDER = /\uE000([a-z-]+):(\d+)\uE001/g;

export function placeholder(kind: string, at: number): string {
  return `\uE000${kind}:${at}\uE001`;
}

/** Most that is kept of one kind; the newest replace the oldest. */
const KEPT = 64;

export class KnownValues {
  readonly #values = new Map<string, string[]>();

  add(kind: string, ...values: readonly string[]): void {
    const kept = this.#values.get(kind) ?? [];
    for (const value of values) if (!kept.includes(value)) kept.push(value);
    this.#values.set(kind, kept.slice(-KEPT));
  }

  of(kind: string): readonly string[] {
    return this.#values.get(kind) ?? [];
  }

  /** The text with every placeholder replaced; `nothing` where nothing of the kind is known. */
  fill(text: string, escape: (value: string) => string = (value) => value): string {
    return text.replaceAll(PLACEHOLDER, (_all, kind: string, at: string) => {
      const values = this.of(kind);
      return escape(values[Number(at) % Math.max(1, values.length)] ?? 'nothing');
    });
  }

  /** Ids and cursors in the answer of a list: what later requests ask for. */
  learn(path: string, body: unknown): void {
    if (typeof body !== 'object' || body === null) return;
    const kind = kindOfPath(path);
    if ('nextCursor' in body && typeof body.nextCursor === 'string') this.add('cursor', body.nextCursor);
    const items = 'items' in body && Array.isArray(body.items) ? (body.items as unknown[]) : [body];
    for (const item of items) {
      if (typeof item !== 'object' || item === null || !('id' in item) || typeof item.id !== 'string') continue;
      this.add(kind, item.id);
    }
  }
}

/** What ids below a path are ids of: the last part that is no parameter, and no verb behind one. */
export function kindOfPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && !part.startsWith('{'));
  return parts.at(-1) ?? 'root';
}
