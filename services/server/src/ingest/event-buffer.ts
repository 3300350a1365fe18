import { canonicalKmodName, KmodEventKind, type KmodEvent, isUuid } from '@modfleet/proto';

/** An event that waits to be stored. */
export interface BufferedEvent {
  readonly hostId: string;
  readonly kmod: string;
  readonly kind: number;
  /** Steady ms. */
  readonly at: number;
  readonly actionId: string | null;
  readonly source: string;
}

/** Events of all hosts that may wait for the database; the oldest go first. */
const EVENTS_MAX = 50_000;
/** Older than this is said to be this old: a host's clock error must not reach into partitions that are gone. */
const AGE_MAX_MS = 7 * 86_400_000;

/** What hosts told of kmods that came and went, in order, until it is stored. */
export class EventBuffer {
  #events: BufferedEvent[] = [];

  get size(): number {
    return this.#events.length;
  }

  /** Keeps the well-formed ones, and answers those. `now` in steady ms. */
  add(hostId: string, events: readonly KmodEvent[], now: number): KmodEvent[] {
    const good = events.filter(isWellFormed);
    for (const event of good) {
      this.#events.push({
        hostId,
        kmod: event.kmod,
        kind: event.kind,
        at: now - Math.min(event.ageMs, AGE_MAX_MS),
        actionId: isUuid(event.actionId) ? event.actionId : null,
        source: event.source === 'uevent' ? 'uevent' : 'poll',
      });
    }
    if (this.#events.length > EVENTS_MAX) this.#events.splice(0, this.#events.length - EVENTS_MAX);
    return good;
  }

  take(): BufferedEvent[] {
    const taken = this.#events;
    this.#events = [];
    return taken;
  }

  /** They could not be stored: before those that came meanwhile. */
  putBack(events: readonly BufferedEvent[]): void {
    this.#events = [...events, ...this.#events].slice(-EVENTS_MAX);
  }
}

function isWellFormed(event: KmodEvent): boolean {
  if (event.kind !== KmodEventKind.KMOD_EVENT_KIND_LOADED && event.kind !== KmodEventKind.KMOD_EVENT_KIND_UNLOADED)
    return false;
  try {
    return canonicalKmodName(event.kmod) === event.kmod;
  } catch {
    return false;
  }
}
