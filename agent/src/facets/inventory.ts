import type { Facet, HostHealth, KmodAnswer, KmodEvents } from '@modfleet/proto';

/** A facet as last observed. */
export interface FacetSnapshot {
  readonly facet: Facet;
  /** When it was last observed to hold, by boot time in ms. */
  readonly observedAtMs: number;
  readonly state:
    | {
        readonly kind: 'value';
        /** SHA-256, 32 bytes. */
        readonly digest: Uint8Array;
        /** Canonical bytes of the whole value; collected only when asked for (`available` is expensive). */
        readonly bytes: () => Promise<Uint8Array>;
      }
    | { readonly kind: 'incapable'; readonly reason: string };
}

/** The host's inventory, kept up to date: what the session reports from. */
export interface Inventory {
  /** Observes everything once, then watches. */
  start(intervals: InventoryIntervals): Promise<void>;
  setIntervals(intervals: InventoryIntervals): void;
  stop(): Promise<void>;
  /** All five facets, as last observed. */
  snapshots(): readonly FacetSnapshot[];
  /** Called when a digest changed or a facet became (in)capable. */
  onChange(listener: (changed: readonly FacetSnapshot[]) => void): void;
  /** Called for kmods that came and went, in order, before the change of `loaded` that they caused. */
  onKmodEvents(listener: (events: KmodEvents) => void): void;
  /** Reads now: presence, reference count, holders, blocks. */
  answer(kmods: readonly string[]): Promise<KmodAnswer[]>;
  /** Reads now. */
  health(): Promise<HostHealth>;
}

/** In ms, as the server sets them. */
export interface InventoryIntervals {
  readonly pollMs: number;
  /** The same where kernel uevents are watched; `pollMs` when left out. */
  readonly quietPollMs?: number;
  readonly facetMs: number;
}
