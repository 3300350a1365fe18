/**
 * Takes in what hosts say of their facets, off the session loops, in batches.
 *
 * INVARIANTS
 * - One flush at a time. What came meanwhile, or could not be written, goes with the next: a tracker stays dirty until its newest word is stored.
 * - Memory is bounded: a word a facet and host, EVENTS_MAX events, UPLOAD_BYTES_MAX of contents. What is dropped is asked for again.
 * - While the database is away nothing is forgotten but contents and the oldest events; sessions stay.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import {
  Facet,
  FacetDeltaError,
  FacetEncodingError,
  isKnownFacet,
  type FacetStatus,
  type FacetUpdate,
  type KmodEvents,
  type KnownFacet,
} from '@modfleet/proto';
import { DatabaseUnavailableError } from '../database/database.errors.ts';
import { Metrics } from '../metrics/metrics.service.ts';
import { AskBudget } from './ask-budget.ts';
import { EventBuffer } from './event-buffer.ts';
import { ContentReader } from './content-reader.ts';
import { ContentError, type FacetContent } from './facet-content.ts';
import { type Batch, FlushWriter } from './flush-writer.ts';
import { applyFlush, type FlushItem, type FlushResult } from './flush.ts';
import { facetWord, HostTracker, type IngestPeer } from './host-tracker.ts';
import { IngestMetrics } from './ingest-metrics.ts';
import { loadedEntries, SetWriter } from './set-writer.ts';
import { type Ask, UploadClaims } from './upload-claims.ts';

/** News of one host waits so long for news of others. */
const GATHER_MS = 25;
const TRACKERS_PER_FLUSH = 1_000;
const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 2_000;
/** How often ageing facets and overdue claims are looked at. */
const TICK_MS = 1_000;
/** Contents that wait to be written. */
const UPLOAD_BYTES_MAX = 64 * 1024 * 1024;

interface Upload {
  readonly tracker: HostTracker;
  readonly content: FacetContent;
}

@Injectable()
export class IngestService {
  readonly #log = new Logger('Ingest');
  readonly #flushes: FlushWriter;
  readonly #writer: SetWriter;
  readonly #reader: ContentReader;
  readonly #metrics: IngestMetrics;
  readonly #claims = new UploadClaims();
  readonly #trackers = new Map<number, HostTracker>();
  readonly #dirty = new Set<HostTracker>();
  readonly #firstFlush = new Map<
    HostTracker,
    { resolve: (wanted: KnownFacet[]) => void; reject: (error: unknown) => void }
  >();
  readonly #asked = new Map<HostTracker, Set<KnownFacet>>();
  readonly #budgets = new WeakMap<HostTracker, AskBudget>();
  readonly #events = new EventBuffer();
  #uploads: Upload[] = [];
  #uploadBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #tick: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  #failures = 0;

  constructor(
    @Inject(FlushWriter) flushes: FlushWriter,
    @Inject(SetWriter) writer: SetWriter,
    @Inject(ContentReader) reader: ContentReader,
    @Inject(Metrics) metrics: Metrics,
  ) {
    this.#flushes = flushes;
    this.#writer = writer;
    this.#reader = reader;
    this.#metrics = new IngestMetrics(metrics, () => ({
      hosts: this.#trackers.size,
      dirty: this.#dirty.size,
      uploadBytes: this.#uploadBytes,
      claims: this.#claims.size,
    }));
  }

  start(): void {
    this.#tick = setInterval(() => this.#everyTick(), TICK_MS);
  }

  /** Writes what waits, once, and stops. */
  async stop(): Promise<void> {
    clearInterval(this.#tick);
    clearTimeout(this.#timer);
    await this.#flushing;
    if (this.#somethingWaits) await this.#flush();
    clearTimeout(this.#timer);
  }

  /**
   * A session begins.
   *
   * @returns what the host is asked to send whole, for Welcome.
   * @throws DatabaseUnavailableError when its words cannot be compared with what is stored.
   */
  async connect(
    peer: IngestPeer,
    statuses: readonly FacetStatus[],
  ): Promise<{ readonly session: IngestSession; readonly wanted: readonly KnownFacet[] }> {
    const tracker = new HostTracker(peer);
    this.#trackers.set(peer.sessionNo, tracker);
    this.#budgets.set(tracker, new AskBudget(performance.now()));
    tracker.announceAll(statuses, performance.now());
    const session: IngestSession = {
      heartbeat: (all) => this.#announce(tracker, all),
      update: (update) => this.#update(tracker, update),
      events: (events) => this.#takeEvents(tracker, events),
      end: () => this.#end(tracker),
    };
    if (tracker.facets.size === 0) return { session, wanted: [] };
    try {
      const wanted = await new Promise<KnownFacet[]>((resolve, reject) => {
        this.#firstFlush.set(tracker, { resolve, reject });
        this.#markDirty(tracker);
      });
      return { session, wanted };
    } catch (error) {
      session.end();
      throw error;
    }
  }

  #announce(tracker: HostTracker, statuses: readonly FacetStatus[]): void {
    if (tracker.announceAll(statuses, performance.now())) this.#markDirty(tracker);
  }

  #takeEvents(tracker: HostTracker, message: KmodEvents): void {
    const taken = this.#events.add(tracker.peer.hostId, message.events, performance.now());
    tracker.told(taken);
    if (message.lost) this.#log.warn(`host ${tracker.peer.hostId} lost kernel events; its inventory was read again`);
    this.#metrics.events.inc({ source: 'host' }, taken.length);
    this.#schedule(GATHER_MS);
  }

  async #update(tracker: HostTracker, update: FacetUpdate): Promise<void> {
    const { facet, digest, content } = update;
    if (!isKnownFacet(facet) || digest.length !== 32) return;
    const hex = digest.toString('hex');
    const now = performance.now();
    // Before the content is looked at: this is what is true of the host, whatever becomes of the content.
    tracker.announce(facet, { kind: 'digest', hex }, now - update.observedAgeMs);
    this.#metrics.updates.inc({ facet: facetWord(facet), content: content?.$case ?? 'none' });
    try {
      if (content?.$case === 'chunk') this.#claims.progress(tracker, facet, hex, now);
      const read = content === undefined ? undefined : await this.#reader.read(tracker, facet, hex, content);
      if (read !== undefined) this.#accept(tracker, read);
    } catch (error) {
      this.#unusable(tracker, facet, hex, error);
    }
    this.#markDirty(tracker);
  }

  #accept(tracker: HostTracker, content: FacetContent): void {
    if (content.facet === Facet.FACET_LOADED) this.#flushes.remember(content.hex, loadedEntries(content.value));
    if (this.#uploadBytes + content.bytes.length > UPLOAD_BYTES_MAX) return;
    this.#uploadBytes += content.bytes.length;
    this.#uploads.push({ tracker, content });
  }

  #unusable(tracker: HostTracker, facet: KnownFacet, hex: string, error: unknown): void {
    const known =
      error instanceof ContentError || error instanceof FacetEncodingError || error instanceof FacetDeltaError;
    if (!known && !(error instanceof DatabaseUnavailableError))
      this.#log.error(`facet ${facetWord(facet)} of host ${tracker.peer.hostId} could not be read`, error as Error);
    this.#reader.forget(tracker, facet);
    if (!known) return;
    this.#metrics.rejected.inc({ facet: facetWord(facet) });
    // A delta that does not fit means: send the whole. Any other content is what the host was asked for, and it is of no use.
    if (error instanceof FacetDeltaError || !this.#claimedBy(tracker, facet)) return;
    this.#log.warn(`facet ${facetWord(facet)} of host ${tracker.peer.hostId} is refused: ${error.message}`);
    this.#ask(this.#claims.failed(tracker, facet, hex, performance.now()));
  }

  #claimedBy(tracker: HostTracker, facet: KnownFacet): boolean {
    return this.#asked.get(tracker)?.has(facet) === true;
  }

  #end(tracker: HostTracker): void {
    if (tracker.ended) return;
    tracker.ended = true;
    this.#trackers.delete(tracker.peer.sessionNo);
    for (const facet of tracker.facets.keys()) this.#reader.forget(tracker, facet);
    this.#ask(this.#claims.left(tracker, performance.now()));
    this.#asked.delete(tracker);
    this.#markDirty(tracker);
  }

  #ask(asks: readonly Ask[]): void {
    const now = performance.now();
    for (const { tracker, facet } of asks) {
      if (tracker.ended) continue;
      if (this.#budgets.get(tracker)?.take(now) !== true) {
        this.#metrics.throttled.inc();
        this.#log.warn(
          `host ${tracker.peer.hostId} has more new content than an hour allows: its ${facetWord(facet)} stays stale for a while`,
        );
        continue;
      }
      this.#asked.set(tracker, (this.#asked.get(tracker) ?? new Set()).add(facet));
      const first = this.#firstFlush.has(tracker);
      if (!first) tracker.peer.request([facet]);
    }
  }

  #everyTick(): void {
    const now = performance.now();
    const { windowMs } = this.#flushes;
    for (const tracker of this.#trackers.values()) {
      if (tracker.mask(now, windowMs) !== tracker.writtenMask) this.#markDirty(tracker);
    }
    this.#ask(this.#claims.overdue(now));
  }

  get #somethingWaits(): boolean {
    return this.#dirty.size > 0 || this.#events.size > 0 || this.#uploads.length > 0 || this.#flushes.inDoubt;
  }

  #markDirty(tracker: HostTracker): void {
    this.#dirty.add(tracker);
    this.#schedule(GATHER_MS);
  }

  #schedule(delayMs: number): void {
    if (this.#timer !== undefined || this.#flushing !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#flushing = this.#flush().finally(() => {
        this.#flushing = undefined;
        if (this.#somethingWaits) {
          this.#schedule(this.#failures === 0 ? GATHER_MS : Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#failures));
        }
      });
    }, delayMs);
  }

  async #flush(): Promise<void> {
    const end = this.#metrics.flushSeconds.startTimer();
    try {
      await this.#writeUploads();
      await this.#writeRows();
      if (this.#failures > 0) this.#log.log('the database takes inventories again');
      this.#failures = 0;
    } catch (error) {
      this.#metrics.flushFailures.inc();
      if (this.#failures++ === 0 || !(error instanceof DatabaseUnavailableError))
        this.#log.warn(`inventories wait for the database: ${(error as Error).message}`);
      for (const waiting of this.#firstFlush.values()) waiting.reject(error);
      this.#firstFlush.clear();
    } finally {
      end();
    }
  }

  async #writeUploads(): Promise<void> {
    for (let upload = this.#uploads[0]; upload !== undefined; upload = this.#uploads[0]) {
      const { tracker, content } = upload;
      const { facet, hex } = content;
      try {
        await this.#writer.write(tracker.peer.hostId, content);
        this.#metrics.uploads.inc({ facet: facetWord(facet) });
        for (const waiting of this.#claims.fulfilled(tracker, facet, hex)) if (!waiting.ended) this.#dirty.add(waiting);
      } catch (error) {
        if (error instanceof DatabaseUnavailableError) throw error;
        this.#log.error(`facet ${facetWord(facet)} of host ${tracker.peer.hostId} could not be stored`, error as Error);
        this.#ask(this.#claims.failed(tracker, facet, hex, performance.now()));
      }
      this.#uploads.shift();
      this.#uploadBytes -= content.bytes.length;
      this.#asked.get(tracker)?.delete(facet);
    }
  }

  async #writeRows(): Promise<void> {
    const settled = await this.#flushes.settle();
    if (settled.kind === 'committed') this.#written(settled.batch, settled.result);
    if (settled.kind === 'undone') this.#again(settled.batch);
    const trackers = [...this.#dirty]
      .slice(0, TRACKERS_PER_FLUSH)
      .sort((a, b) => (a.peer.hostId < b.peer.hostId ? -1 : a.peer.hostId > b.peer.hostId ? 1 : 0));
    const batch = { trackers, events: this.#events.take() };
    for (const tracker of trackers) this.#dirty.delete(tracker);
    try {
      this.#written(batch, await this.#flushes.write(batch));
    } catch (error) {
      if (!this.#flushes.inDoubt) this.#again(batch);
      throw error;
    }
  }

  /** A batch is stored. */
  #written(batch: Batch, result: FlushResult): void {
    applyFlush(result);
    this.#metrics.events.inc({ source: 'inventory' }, result.diffEvents);
    this.#askFor(result.unknown, performance.now());
    this.#resolveFirst(batch.trackers);
  }

  /** A batch is not stored: it goes with the next. */
  #again(batch: Batch): void {
    for (const tracker of batch.trackers) this.#dirty.add(tracker);
    this.#events.putBack(batch.events);
  }

  #askFor(unknown: readonly FlushItem[], now: number): void {
    for (const { tracker, facet, announced } of unknown) {
      if (tracker.ended || announced.kind !== 'digest') continue;
      if (this.#claims.want(tracker, facet, announced.hex, now)) this.#ask([{ tracker, facet }]);
    }
  }

  #resolveFirst(trackers: readonly HostTracker[]): void {
    for (const tracker of trackers) {
      const waiting = this.#firstFlush.get(tracker);
      this.#firstFlush.delete(tracker);
      waiting?.resolve([...(this.#asked.get(tracker) ?? [])]);
    }
  }
}

/** One host's session, as ingest sees it. */
export interface IngestSession {
  heartbeat(statuses: readonly FacetStatus[]): void;
  /** The next message of this host waits for it: deltas are applied in order. Never rejects. */
  update(update: FacetUpdate): Promise<void>;
  events(events: KmodEvents): void;
  /** Writes what is known, and the session's end. */
  end(): void;
}
