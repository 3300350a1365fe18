/**
 * Who uploads what: single-flight for each digest.
 *
 * INVARIANTS
 * - At most one host at a time is asked for one content, however many announce it (on this replica; two replicas may ask one host each).
 * - A claim without progress passes to the next host that waits; with nobody waiting, its holder is asked again.
 * - A host that ended holds and awaits nothing.
 */
import { Facet, type KnownFacet } from '@modfleet/proto';
import type { HostTracker } from './host-tracker.ts';

/** Without progress for so long, the claim passes on. */
const CLAIM_MS = 10_000;
/** `available` takes a host seconds of CPU to collect, and minutes under emulation, before its first byte can be sent. */
const AVAILABLE_CLAIM_MS = 120_000;

interface Claim {
  readonly facet: KnownFacet;
  holder: HostTracker;
  progressAt: number;
  readonly waiting: Set<HostTracker>;
}

/** A host that is to be asked now. */
export interface Ask {
  readonly tracker: HostTracker;
  readonly facet: KnownFacet;
}

export class UploadClaims {
  readonly #claims = new Map<string, Claim>();

  get size(): number {
    return this.#claims.size;
  }

  /** `tracker` announces content that is not stored. True: ask it now. */
  want(tracker: HostTracker, facet: KnownFacet, hex: string, now: number): boolean {
    const key = keyOf(tracker, facet, hex);
    const claim = this.#claims.get(key);
    if (claim === undefined) {
      this.#claims.set(key, { facet, holder: tracker, progressAt: now, waiting: new Set() });
      return true;
    }
    if (claim.holder !== tracker) claim.waiting.add(tracker);
    return false;
  }

  /** Part of the content arrived from this host. */
  progress(tracker: HostTracker, facet: KnownFacet, hex: string, now: number): void {
    const claim = this.#claims.get(keyOf(tracker, facet, hex));
    if (claim?.holder === tracker) claim.progressAt = now;
  }

  /** The content is stored: everybody who waited can be written now. */
  fulfilled(tracker: HostTracker, facet: KnownFacet, hex: string): HostTracker[] {
    const key = keyOf(tracker, facet, hex);
    const claim = this.#claims.get(key);
    this.#claims.delete(key);
    return claim === undefined ? [] : [claim.holder, ...claim.waiting];
  }

  /** The holder's content is unusable, or it cannot give it: the next one is asked. The holder is not asked again. */
  failed(tracker: HostTracker, facet: KnownFacet, hex: string, now: number): Ask[] {
    const key = keyOf(tracker, facet, hex);
    const claim = this.#claims.get(key);
    if (claim?.holder !== tracker) return [];
    const ask = this.#passOn(key, claim, now);
    return ask === undefined ? [] : [ask];
  }

  /** The host's session ended. */
  left(tracker: HostTracker, now: number): Ask[] {
    const asks: Ask[] = [];
    for (const [key, claim] of this.#claims) {
      claim.waiting.delete(tracker);
      if (claim.holder !== tracker) continue;
      const ask = this.#passOn(key, claim, now);
      if (ask !== undefined) asks.push(ask);
    }
    return asks;
  }

  /** Claims that made no progress in time, passed on or asked again. */
  overdue(now: number): Ask[] {
    const asks: Ask[] = [];
    for (const [key, claim] of this.#claims) {
      const limit = claim.facet === Facet.FACET_AVAILABLE ? AVAILABLE_CLAIM_MS : CLAIM_MS;
      if (now - claim.progressAt < limit) continue;
      const late = claim.holder;
      const ask = this.#passOn(key, claim, now, late);
      if (ask !== undefined) asks.push(ask);
    }
    return asks;
  }

  /** `again` lines up anew, last. */
  #passOn(key: string, claim: Claim, now: number, again?: HostTracker): Ask | undefined {
    if (again !== undefined && !again.ended) claim.waiting.add(again);
    for (const next of claim.waiting) {
      claim.waiting.delete(next);
      if (next.ended || keyIfWanted(next, claim.facet) !== key) continue;
      claim.holder = next;
      claim.progressAt = now;
      return { tracker: next, facet: claim.facet };
    }
    this.#claims.delete(key);
    return undefined;
  }
}

/** Parameters belong to one host; every other content is shared. */
function keyOf(tracker: HostTracker, facet: KnownFacet, hex: string): string {
  return facet === Facet.FACET_PARAMETERS ? `${facet}:${hex}:${tracker.peer.hostId}` : `${facet}:${hex}`;
}

function keyIfWanted(tracker: HostTracker, facet: KnownFacet): string | undefined {
  const announced = tracker.facets.get(facet)?.announced;
  return announced?.kind === 'digest' ? keyOf(tracker, facet, announced.hex) : undefined;
}
