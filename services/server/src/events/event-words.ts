/** Kinds of the table kmod_event, by number. */
const WORDS = { 1: 'loaded', 2: 'unloaded', 3: 'changed' } as const;

export type EventKindWord = (typeof WORDS)[keyof typeof WORDS];

export const EVENT_KIND_WORDS = ['loaded', 'unloaded', 'changed'] as const satisfies readonly EventKindWord[];

/** Undefined for a kind of a newer version: this one has no word for it. */
export function eventKindWord(kind: number): EventKindWord | undefined {
  return kind === 1 || kind === 2 || kind === 3 ? WORDS[kind] : undefined;
}

export function eventKindNumber(word: EventKindWord): number {
  return EVENT_KIND_WORDS.indexOf(word) + 1;
}
