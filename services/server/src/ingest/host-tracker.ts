/**
 * What one connected host said of its facets, and how much of it is stored. Pure memory: no clock, no database.
 *
 * INVARIANTS
 * - Only the newest word of a facet is kept: what is to be written is always derived from it, so a failed or late flush loses nothing.
 * - A facet is vouched for only while its stored digest is the announced one and it was observed within its window.
 */
import {
  FACET_WORDS,
  KNOWN_FACETS,
  isKnownFacet,
  type FacetStatus,
  type KmodEvent,
  type KnownFacet,
} from '@modfleet/proto';

/** How the session is reached. */
export interface IngestPeer {
  readonly hostId: string;
  readonly sessionNo: number;
  readonly bootId: string;
  /** Sends a FacetRequest. */
  request(facets: readonly KnownFacet[]): void;
  /** Ends the session: what the host sent is more than any machine has. */
  turnAway(reason: string): void;
}

/** What a host says of one facet: a digest, or why it cannot. */
export type Announced =
  { readonly kind: 'digest'; readonly hex: string } | { readonly kind: 'incapable'; readonly reason: string };

export interface FacetState {
  announced: Announced;
  /** What host_inventory holds of this session; undefined until written. */
  stored: string | undefined;
  /** Steady ms. */
  observedAt: number;
  /** As last written to host_session. */
  vouched: boolean;
  /** Events that were told before the newest announcement have a sequence number up to this. */
  toldUpTo: number;
}

export interface ToldEvent {
  readonly seq: number;
  readonly kmod: string;
  readonly kind: number;
}

/** Longest reason that is kept, in characters. */
const REASON_MAX = 500;
/** Told events kept for the next diff; more than a host's kmods come and go between two flushes is a flood. */
const TOLD_MAX = 5_000;

export class HostTracker {
  readonly peer: IngestPeer;
  readonly facets = new Map<KnownFacet, FacetState>();
  /** As last written to host_session. */
  writtenMask = 0;
  ended = false;
  #told: ToldEvent[] = [];
  #toldSeq = 0;

  constructor(peer: IngestPeer) {
    this.peer = peer;
  }

  /** The host's word of one facet. True when there is something to write or to ask. */
  announce(facet: KnownFacet, announced: Announced, observedAt: number): boolean {
    const state = this.facets.get(facet);
    if (state === undefined) {
      this.facets.set(facet, { announced, stored: undefined, observedAt, vouched: false, toldUpTo: this.#toldSeq });
      return true;
    }
    const news = wordOf(state.announced) !== wordOf(announced);
    if (news) state.toldUpTo = this.#toldSeq;
    state.announced = announced;
    state.observedAt = Math.max(state.observedAt, observedAt);
    return news || state.stored !== wordOf(announced) || !state.vouched;
  }

  /** Statuses of Hello or of a heartbeat, received at `now`. True when there is something to write or to ask. */
  announceAll(statuses: readonly FacetStatus[], now: number): boolean {
    let dirty = false;
    for (const status of statuses) {
      if (!isKnownFacet(status.facet)) continue;
      const announced = saysNothingNew(status) ? this.facets.get(status.facet)?.announced : announcedOf(status);
      if (announced !== undefined) dirty = this.announce(status.facet, announced, now - status.observedAgeMs) || dirty;
    }
    return dirty;
  }

  /** Kmods that the host saw come and go, in order. */
  told(events: readonly KmodEvent[]): void {
    for (const event of events) this.#told.push({ seq: ++this.#toldSeq, kmod: event.kmod, kind: event.kind });
    if (this.#told.length > TOLD_MAX) this.#told.splice(0, this.#told.length - TOLD_MAX);
  }

  /** Last told kind for each kmod, of the events that the newest `loaded` explains. */
  toldFor(state: FacetState): Map<string, number> {
    return new Map(this.#told.filter((event) => event.seq <= state.toldUpTo).map((event) => [event.kmod, event.kind]));
  }

  /** Events up to `seq` were compared with a stored `loaded`. */
  forgetTold(seq: number): void {
    this.#told = this.#told.filter((event) => event.seq > seq);
  }

  /** Bits (1 << facet) that hold at `now`, given that `stored` is up to date. */
  mask(now: number, windowMs: (facet: KnownFacet) => number): number {
    let mask = 0;
    for (const [facet, state] of this.facets) {
      if (state.stored === wordOf(state.announced) && now - state.observedAt <= windowMs(facet)) mask |= 1 << facet;
    }
    return mask;
  }
}

/** One text for an announcement, to compare and to remember. */
export function wordOf(announced: Announced): string {
  return announced.kind === 'digest' ? announced.hex : `!${announced.reason}`;
}

const DIGEST_BYTES = 32;

/** A short heartbeat: the facet stands as this connection last said, and was observed then. */
function saysNothingNew({ digest, incapableReason }: FacetStatus): boolean {
  return digest.length === 0 && incapableReason === '';
}

function announcedOf(status: FacetStatus): Announced | undefined {
  if (status.incapableReason !== '')
    return { kind: 'incapable', reason: status.incapableReason.slice(0, REASON_MAX).replaceAll(/\p{Cc}/gu, '\ufffd') };
  if (status.digest.length !== DIGEST_BYTES) return undefined;
  return { kind: 'digest', hex: status.digest.toString('hex') };
}

/** A facet's word for logs. */
export function facetWord(facet: KnownFacet): string {
  return FACET_WORDS[facet];
}

export { KNOWN_FACETS };
