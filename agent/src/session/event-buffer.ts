import type { KmodEvent, KmodEvents } from '@modfleet/proto';
import type { BootClock } from '../time/clock.ts';

/** Events that are kept while the server is away: about 200 kB. A host that loads and unloads more meanwhile says that some were lost. */
const MAX_EVENTS = 2000;

/** Events in one message: below 64 KiB. */
const MAX_PER_MESSAGE = 500;

interface Held {
  readonly event: KmodEvent;
  /** Boot time when it was seen, ms. */
  readonly seenAtMs: number;
}

/** Kmods that came and went, until a session takes them. It outlives sessions: what happens while the server is away is told later. */
export class EventBuffer {
  readonly #bootClock: BootClock;
  #held: Held[] = [];
  #lost = false;

  constructor(bootClock: BootClock) {
    this.#bootClock = bootClock;
  }

  /** Takes events in the order seen; beyond the bound the oldest go, and that is said. */
  push(events: KmodEvents): void {
    const now = this.#bootClock.nowMs();
    for (const event of events.events) this.#held.push({ event, seenAtMs: now - event.ageMs });
    this.#lost ||= events.lost;
    if (this.#held.length > MAX_EVENTS) {
      this.#held = this.#held.slice(-MAX_EVENTS);
      this.#lost = true;
    }
  }

  /** The next message's worth, with ages as of now; undefined when there is nothing to tell. */
  shift(): KmodEvents | undefined {
    if (this.#held.length === 0 && !this.#lost) return undefined;
    const now = this.#bootClock.nowMs();
    const events = this.#held
      .splice(0, MAX_PER_MESSAGE)
      .map(({ event, seenAtMs }) => ({ ...event, ageMs: Math.max(0, now - seenAtMs) }));
    const lost = this.#lost;
    this.#lost = false;
    return { events, lost };
  }
}
