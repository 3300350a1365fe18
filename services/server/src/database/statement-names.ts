import { LRUCache } from 'lru-cache';

/** A statement that came so often will come again. */
const SEEN_OFTEN = 3;
/** Names given, ever: each connection keeps a plan for each in Postgres. Beyond, statements are planned each time. */
const NAMES_MAX = 300;
/** Texts that are counted; those that no longer come make room. */
const COUNTED_MAX = 300;

/**
 * Names for statements that come again and again, so that each connection parses and plans them once (the extended query protocol's named statements,
 * https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY): over views as ours that takes longer than running them. Texts are put together from a
 * caller's selectors, without bound, so a text that comes once gets no name.
 */
export class StatementNames {
  readonly #seen = new LRUCache<string, number>({ max: COUNTED_MAX });
  readonly #names = new Map<string, string>();

  /** Undefined: not worth one. */
  nameOf(text: string): string | undefined {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    if (this.#names.size >= NAMES_MAX) return undefined;
    const times = (this.#seen.get(text) ?? 0) + 1;
    if (times < SEEN_OFTEN) {
      this.#seen.set(text, times);
      return undefined;
    }
    this.#seen.delete(text);
    const name = `s${this.#names.size + 1}`;
    this.#names.set(text, name);
    return name;
  }
}
