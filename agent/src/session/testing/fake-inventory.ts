import { Facet, KmodPresence, LoadedKmod, encodeFacet, sha256 } from '@modfleet/proto';
import type { HostHealth, KmodAnswer, KmodEvents } from '@modfleet/proto';
import type { FacetSnapshot, Inventory, InventoryIntervals } from '../../facets/inventory.ts';

/** An inventory that says what a test tells it. */
export class FakeInventory implements Inventory {
  intervals: InventoryIntervals | undefined;
  #snapshots: FacetSnapshot[];
  #onChange: (changed: readonly FacetSnapshot[]) => void = () => undefined;
  #onEvents: (events: KmodEvents) => void = () => undefined;

  constructor(...snapshots: FacetSnapshot[]) {
    this.#snapshots = snapshots;
  }

  start(): Promise<void> {
    return Promise.resolve();
  }
  setIntervals(intervals: InventoryIntervals): void {
    this.intervals = intervals;
  }
  stop(): Promise<void> {
    return Promise.resolve();
  }
  snapshots(): readonly FacetSnapshot[] {
    return this.#snapshots;
  }
  onChange(listener: (changed: readonly FacetSnapshot[]) => void): void {
    this.#onChange = listener;
  }
  onKmodEvents(listener: (events: KmodEvents) => void): void {
    this.#onEvents = listener;
  }
  health(): Promise<HostHealth> {
    return Promise.resolve({ bootId: 'boot', taint: 0, links: ['eth0 up'], mounts: ['/dev/vda1 / ext4'] });
  }
  answer(kmods: readonly string[]): Promise<KmodAnswer[]> {
    if (kmods.includes('broken')) return Promise.reject(new Error('/proc/modules cannot be read (EIO)'));
    return Promise.resolve(
      kmods.map((name) => ({
        name,
        presence: KmodPresence.KMOD_PRESENCE_ABSENT,
        loaded: undefined,
        holders: [],
        blocks: [],
        reason: '',
      })),
    );
  }

  /** Another observation of one facet. */
  observe(snapshot: FacetSnapshot): void {
    this.#snapshots = [...this.#snapshots.filter(({ facet }) => facet !== snapshot.facet), snapshot];
    this.#onChange([snapshot]);
  }

  /** Kmods came and went. */
  tell(events: KmodEvents): void {
    this.#onEvents(events);
  }
}

/** A facet with these bytes; `available` has a digest of its own. */
export function valueSnapshot(facet: Facet, bytes: Uint8Array, digest = sha256(bytes)): FacetSnapshot {
  return { facet, observedAtMs: 0, state: { kind: 'value', digest, bytes: () => Promise.resolve(bytes) } };
}

/** Facet `loaded` with these kmods. */
export function loadedSnapshot(...names: string[]): FacetSnapshot {
  return valueSnapshot(Facet.FACET_LOADED, loadedBytes(...names));
}

/** Canonical bytes of facet `loaded`. */
export function loadedBytes(...names: string[]): Uint8Array {
  return encodeFacet(Facet.FACET_LOADED, { kmods: names.map((name) => LoadedKmod.fromPartial({ name })) });
}

/** A facet that cannot be reported. */
export function incapableSnapshot(facet: Facet, reason: string): FacetSnapshot {
  return { facet, observedAtMs: 0, state: { kind: 'incapable', reason } };
}
