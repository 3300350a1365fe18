/**
 * What a host had loaded at some time: what it has now, with everything that came and went since taken back, the latest first.
 */
import {
  EVENT_CHANGED,
  EVENT_LOADED,
  EVENT_UNLOADED,
  type LoadedEntries,
  type LoadedEntry,
} from '../ingest/loaded-diff.ts';

/** As in kmod_event. */
export interface PastEvent {
  readonly kmod: string;
  readonly kind: number;
  /** Of a change: `{FIELD: {from, to}}`. */
  readonly detail: Readonly<Record<string, unknown>> | null;
}

/** A kmod that was loaded. */
export interface PastKmod {
  readonly name: string;
  /**
   * Its build, as far as it is known: a kmod that was unloaded since has left nothing behind but its name, unless it changed before that. Null: nothing of it
   * is known.
   */
  readonly entry: Partial<LoadedEntry> | null;
  /** True when the entry is whole. */
  readonly whole: boolean;
}

const FIELDS = ['buildId', 'size', 'taint', 'version', 'srcversion'] as const;
type Field = (typeof FIELDS)[number];

interface Held {
  entry: Partial<Record<Field, string | number>>;
  whole: boolean;
}

/**
 * @param now what the host has loaded after the last of the events.
 * @param events since the time in question, the latest first.
 * @returns by name.
 */
export function rewind(now: LoadedEntries, events: readonly PastEvent[]): PastKmod[] {
  const held = new Map<string, Held>(
    Object.entries(now).map(([name, entry]) => [name, { entry: { ...entry }, whole: true }]),
  );
  for (const { kmod, kind, detail } of events) {
    if (kind === EVENT_LOADED) held.delete(kmod);
    else if (kind === EVENT_UNLOADED) held.set(kmod, { entry: {}, whole: false });
    else if (kind === EVENT_CHANGED) {
      const one = held.get(kmod) ?? { entry: {}, whole: false };
      held.set(kmod, { ...one, entry: { ...one.entry, ...fieldsBefore(detail) } });
    }
  }
  return [...held]
    .map(([name, { entry, whole }]) => ({ name, entry: toEntry(entry), whole }))
    .sort((left, right) => (left.name < right.name ? -1 : 1));
}

function fieldsBefore(detail: PastEvent['detail']): Held['entry'] {
  const before: Held['entry'] = {};
  for (const field of FIELDS) {
    const change = detail?.[field];
    if (typeof change !== 'object' || change === null || !('from' in change)) continue;
    const { from } = change;
    if (typeof from === 'string' || typeof from === 'number') before[field] = from;
  }
  return before;
}

function toEntry(entry: Held['entry']): Partial<LoadedEntry> | null {
  return Object.keys(entry).length === 0 ? null : (entry as Partial<LoadedEntry>);
}
