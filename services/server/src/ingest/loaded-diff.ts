/** What is stored of one loaded kmod, as loaded_entries() of migration 0016 gives it. */
export interface LoadedEntry {
  readonly buildId: string;
  readonly size: number;
  readonly taint: string;
  readonly version: string;
  readonly srcversion: string;
  /** 'live', 'loading', 'unloading', or '' when the kernel does not say. */
  readonly state: string;
}

export type LoadedEntries = Readonly<Record<string, LoadedEntry>>;

/** The same, by name, to be compared. */
export type LoadedByName = ReadonlyMap<string, LoadedEntry>;

/** As in kmod_event.kind. */
export const EVENT_LOADED = 1;
export const EVENT_UNLOADED = 2;
export const EVENT_CHANGED = 3;

export interface DiffEvent {
  readonly kmod: string;
  readonly kind: typeof EVENT_LOADED | typeof EVENT_UNLOADED | typeof EVENT_CHANGED;
  readonly detail: Readonly<Record<string, unknown>> | null;
}

/** Fields whose change is an event; `state` passes through loading and unloading on its own. */
const WATCHED = ['buildId', 'size', 'taint', 'version', 'srcversion'] as const;

/**
 * What happened between two loaded sets, less what the host told itself.
 *
 * @param told last told kind for each kmod since `before` was stored: an event that was told is not made again.
 */
export function diffLoaded(before: LoadedByName, after: LoadedByName, told: ReadonlyMap<string, number>): DiffEvent[] {
  const events: DiffEvent[] = [];
  for (const [kmod, entry] of after) {
    const old = before.get(kmod);
    // Of most the very same object: nothing to look at.
    if (old === entry) continue;
    if (old === undefined) {
      if (told.get(kmod) !== EVENT_LOADED) events.push({ kmod, kind: EVENT_LOADED, detail: null });
      continue;
    }
    const changed = WATCHED.filter((field) => old[field] !== entry[field]);
    if (changed.length > 0 && !told.has(kmod)) {
      const detail = Object.fromEntries(changed.map((field) => [field, { from: old[field], to: entry[field] }]));
      events.push({ kmod, kind: EVENT_CHANGED, detail });
    }
  }
  for (const kmod of before.keys()) {
    if (!after.has(kmod) && told.get(kmod) !== EVENT_UNLOADED)
      events.push({ kmod, kind: EVENT_UNLOADED, detail: null });
  }
  return events;
}
