/**
 * Asks hosts for contents that nobody has stored: in their Welcome, or later by a message.
 *
 * INVARIANTS
 * - A content is asked of one host at a time (UploadClaims), and of a host only within its budget.
 * - Who waits for its Welcome is asked by nothing else; every wait ends, by an answer or an error.
 */
import type { Logger } from '@nestjs/common';
import type { KnownFacet } from '@modfleet/proto';
import { TokenBucket } from '../rate-limits/token-bucket.ts';
import type { FlushItem } from './flush.ts';
import { facetWord, type HostTracker } from './host-tracker.ts';
import type { IngestMetrics } from './ingest-metrics.ts';
import { type Ask, UploadClaims } from './upload-claims.ts';

/** New contents that one host may bring in an hour: a build machine that loads and unloads all day stays below, a host gone mad does not. */
const NEW_CONTENTS = { perSecond: 1_000 / 3_600, burst: 200 };

interface Waiting {
  readonly resolve: (wanted: KnownFacet[]) => void;
  readonly reject: (error: unknown) => void;
}

export class ContentRequests {
  readonly #claims = new UploadClaims();
  readonly #budgets = new WeakMap<HostTracker, TokenBucket>();
  readonly #asked = new Map<HostTracker, Set<KnownFacet>>();
  readonly #welcomes = new Map<HostTracker, Waiting>();
  readonly #throttled: IngestMetrics['throttled'];
  readonly #log: Logger;

  constructor(throttled: IngestMetrics['throttled'], log: Logger) {
    this.#throttled = throttled;
    this.#log = log;
  }

  /** Contents that hosts were asked for. */
  get size(): number {
    return this.#claims.size;
  }

  /** What this host is asked for in its Welcome, once its words were compared with what is stored. */
  forWelcome(tracker: HostTracker): Promise<KnownFacet[]> {
    return new Promise((resolve, reject) => this.#welcomes.set(tracker, { resolve, reject }));
  }

  /** The words of these hosts were compared. */
  welcome(trackers: readonly HostTracker[]): void {
    for (const tracker of trackers) {
      const waiting = this.#welcomes.get(tracker);
      this.#welcomes.delete(tracker);
      waiting?.resolve([...(this.#asked.get(tracker) ?? [])]);
    }
  }

  /** Words cannot be compared now: nobody is welcome. */
  turnAway(error: unknown): void {
    for (const waiting of this.#welcomes.values()) waiting.reject(error);
    this.#welcomes.clear();
  }

  /** These contents are not stored. */
  askFor(unknown: readonly FlushItem[], now: number): void {
    for (const { tracker, facet, announced } of unknown) {
      if (tracker.ended || announced.kind !== 'digest') continue;
      if (this.#claims.want(tracker, facet, announced.hex, now)) this.#ask([{ tracker, facet }], now);
    }
  }

  isAsked(tracker: HostTracker, facet: KnownFacet): boolean {
    return this.#asked.get(tracker)?.has(facet) === true;
  }

  /** Part of a content arrived. */
  progress(tracker: HostTracker, facet: KnownFacet, hex: string, now: number): void {
    this.#claims.progress(tracker, facet, hex, now);
  }

  /** A content is of no use, or could not be stored: another host may be asked. */
  failed(tracker: HostTracker, facet: KnownFacet, hex: string, now: number): void {
    this.#ask(this.#claims.failed(tracker, facet, hex, now), now);
  }

  /** A content is stored. @returns the hosts whose words can be written now. */
  fulfilled(tracker: HostTracker, facet: KnownFacet, hex: string): HostTracker[] {
    return this.#claims.fulfilled(tracker, facet, hex);
  }

  /** What this host was asked for has come, whatever became of it. */
  answered(tracker: HostTracker, facet: KnownFacet): void {
    this.#asked.get(tracker)?.delete(facet);
  }

  /** Claims pass on from a host that went away. */
  left(tracker: HostTracker, now: number): void {
    this.#ask(this.#claims.left(tracker, now), now);
    this.#asked.delete(tracker);
  }

  /** Claims pass on from hosts that do not send. */
  passOverdue(now: number): void {
    this.#ask(this.#claims.overdue(now), now);
  }

  #ask(asks: readonly Ask[], now: number): void {
    for (const { tracker, facet } of asks) {
      if (tracker.ended) continue;
      if (!this.#budgetOf(tracker, now).take(now)) {
        this.#throttled.inc();
        this.#log.warn(
          `host ${tracker.peer.hostId} has more new content than an hour allows: its ${facetWord(facet)} stays stale for a while`,
        );
        continue;
      }
      this.#asked.set(tracker, (this.#asked.get(tracker) ?? new Set()).add(facet));
      if (!this.#welcomes.has(tracker)) tracker.peer.request([facet]);
    }
  }

  #budgetOf(tracker: HostTracker, now: number): TokenBucket {
    const budget = this.#budgets.get(tracker) ?? new TokenBucket(NEW_CONTENTS, now);
    this.#budgets.set(tracker, budget);
    return budget;
  }
}
