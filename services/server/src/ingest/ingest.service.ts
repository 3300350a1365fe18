/**
 * Takes in what hosts say of their facets, off the session loops, in batches.
 *
 * INVARIANTS
 * - One flush at a time. What came meanwhile, or could not be written, goes with the next: a tracker stays dirty until its newest word is stored.
 * - Memory is bounded: a word a facet and host, a number of events, and of bytes of contents (EventBuffer, UploadQueue). What is dropped is asked for again.
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
import { EventSignal } from '../events/event-signal.ts';
import { Metrics } from '../metrics/metrics.service.ts';
import { ContentReader } from './content-reader.ts';
import { ContentRequests } from './content-requests.ts';
import { EventBuffer } from './event-buffer.ts';
import { ContentError, ContentTooLongError, type FacetContent } from './facet-content.ts';
import { FlushLoop } from './flush-loop.ts';
import { type Batch, FlushWriter } from './flush-writer.ts';
import { applyFlush, type FlushResult } from './flush.ts';
import { facetWord, HostTracker, type IngestPeer } from './host-tracker.ts';
import { IngestMetrics } from './ingest-metrics.ts';
import { loadedEntries, SetWriter } from './set-writer.ts';
import { type Upload, UploadQueue } from './upload-queue.ts';

const TRACKERS_PER_FLUSH = 300;
/** Contents in one transaction: a transaction each would wait for the disk each; more would keep others' words waiting for longer. */
const UPLOADS_PER_WRITE = 64;
const UPLOAD_BYTES_PER_WRITE = 1024 * 1024;
/** How often ageing facets and overdue claims are looked at. */
const TICK_MS = 1_000;
@Injectable()
export class IngestService {
  readonly #log = new Logger('Ingest');
  readonly #flushes: FlushWriter;
  readonly #writer: SetWriter;
  readonly #reader: ContentReader;
  readonly #metrics: IngestMetrics;
  readonly #signal: EventSignal;
  readonly #trackers = new Map<number, HostTracker>();
  readonly #dirty = new Set<HostTracker>();
  readonly #events = new EventBuffer();
  readonly #uploads = new UploadQueue();
  readonly #requests: ContentRequests;
  readonly #loop = new FlushLoop({
    run: () => this.#flush(),
    waits: () => this.#somethingWaits,
    failed: (error, times) => this.#flushFailed(error, times),
    recovered: () => this.#log.log('the database takes inventories again'),
  });
  #tick: NodeJS.Timeout | undefined;

  constructor(
    @Inject(FlushWriter) flushes: FlushWriter,
    @Inject(SetWriter) writer: SetWriter,
    @Inject(ContentReader) reader: ContentReader,
    @Inject(Metrics) metrics: Metrics,
    @Inject(EventSignal) signal: EventSignal,
  ) {
    this.#signal = signal;
    this.#flushes = flushes;
    this.#writer = writer;
    this.#reader = reader;
    this.#metrics = new IngestMetrics(metrics, () => ({
      hosts: this.#trackers.size,
      dirty: this.#dirty.size,
      uploadBytes: this.#uploads.bytes,
      claims: this.#requests.size,
    }));
    this.#requests = new ContentRequests(this.#metrics.throttled, this.#log);
  }

  start(): void {
    this.#tick = setInterval(() => this.#everyTick(), TICK_MS);
  }

  /** Writes what waits, once, and stops. */
  async stop(): Promise<void> {
    clearInterval(this.#tick);
    await this.#loop.stop();
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
    tracker.announceAll(statuses, performance.now());
    const session: IngestSession = {
      heartbeat: (all) => this.#announce(tracker, all),
      update: (update) => this.#update(tracker, update),
      events: (events) => this.#takeEvents(tracker, events),
      end: () => this.#end(tracker),
    };
    // Also where there is nothing to say: what the session before vouched for ends with the first flush.
    if (tracker.facets.size === 0) {
      this.#markDirty(tracker);
      return { session, wanted: [] };
    }
    try {
      const wanted = this.#requests.forWelcome(tracker);
      this.#markDirty(tracker);
      return { session, wanted: await wanted };
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
    this.#loop.wake();
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
      if (content?.$case === 'chunk') this.#requests.progress(tracker, facet, hex, now);
      const read = content === undefined ? undefined : await this.#reader.read(tracker, facet, hex, content);
      if (read !== undefined) this.#accept(tracker, read);
    } catch (error) {
      this.#unusable(tracker, facet, hex, error);
    }
    this.#markDirty(tracker);
  }

  #accept(tracker: HostTracker, content: FacetContent): void {
    if (content.facet === Facet.FACET_LOADED) this.#flushes.remember(content.hex, loadedEntries(content.value));
    this.#uploads.add({ tracker, content });
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
    if (error instanceof FacetDeltaError || !this.#requests.isAsked(tracker, facet)) return;
    this.#log.warn(`facet ${facetWord(facet)} of host ${tracker.peer.hostId} is refused: ${error.message}`);
    this.#requests.failed(tracker, facet, hex, performance.now());
    if (error instanceof ContentTooLongError) tracker.peer.turnAway(`facet ${facetWord(facet)}: ${error.message}`);
  }

  #end(tracker: HostTracker): void {
    if (tracker.ended) return;
    tracker.ended = true;
    this.#trackers.delete(tracker.peer.sessionNo);
    for (const facet of tracker.facets.keys()) this.#reader.forget(tracker, facet);
    this.#requests.left(tracker, performance.now());
    this.#markDirty(tracker);
  }

  #everyTick(): void {
    const now = performance.now();
    const { windowMs } = this.#flushes;
    for (const tracker of this.#trackers.values()) {
      if (tracker.mask(now, windowMs) !== tracker.writtenMask) this.#markDirty(tracker);
    }
    this.#requests.passOverdue(now);
  }

  get #somethingWaits(): boolean {
    return this.#dirty.size > 0 || this.#events.size > 0 || !this.#uploads.isEmpty || this.#flushes.inDoubt;
  }

  #markDirty(tracker: HostTracker): void {
    this.#dirty.add(tracker);
    this.#loop.wake();
  }

  async #flush(): Promise<void> {
    const end = this.#metrics.flushSeconds.startTimer();
    try {
      await this.#writeUploads();
      await this.#writeRows();
    } finally {
      end();
    }
  }

  #flushFailed(error: unknown, times: number): void {
    this.#metrics.flushFailures.inc();
    if (times === 0 || !(error instanceof DatabaseUnavailableError))
      this.#log.warn(`inventories wait for the database: ${(error as Error).message}`);
    this.#requests.turnAway(error);
  }

  async #writeUploads(): Promise<void> {
    for (;;) {
      const batch = this.#uploads.batch(UPLOADS_PER_WRITE, UPLOAD_BYTES_PER_WRITE);
      if (batch.length === 0) return;
      await this.#writeBatch(batch);
      this.#uploads.drop(batch.length);
    }
  }

  /** One that cannot be stored is found by storing each alone: the others are. */
  async #writeBatch(batch: readonly Upload[]): Promise<void> {
    try {
      await this.#writer.write(batch.map(({ tracker, content }) => ({ hostId: tracker.peer.hostId, content })));
    } catch (error) {
      if (error instanceof DatabaseUnavailableError) throw error;
      const [only, ...others] = batch;
      if (others.length > 0) {
        for (const upload of batch) await this.#writeBatch([upload]);
        return;
      }
      if (only !== undefined) this.#notStored(only, error);
      return;
    }
    for (const { tracker, content } of batch) {
      this.#metrics.uploads.inc({ facet: facetWord(content.facet) });
      for (const waiting of this.#requests.fulfilled(tracker, content.facet, content.hex))
        if (!waiting.ended) this.#dirty.add(waiting);
      this.#requests.answered(tracker, content.facet);
    }
  }

  #notStored({ tracker, content: { facet, hex } }: Upload, error: unknown): void {
    this.#log.error(`facet ${facetWord(facet)} of host ${tracker.peer.hostId} could not be stored`, error as Error);
    this.#requests.failed(tracker, facet, hex, performance.now());
    this.#requests.answered(tracker, facet);
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
    if (batch.events.length + result.diffEvents > 0) this.#signal.stored();
    this.#requests.askFor(result.unknown, performance.now());
    this.#requests.welcome(batch.trackers);
  }

  /** A batch is not stored: it goes with the next. */
  #again(batch: Batch): void {
    for (const tracker of batch.trackers) this.#dirty.add(tracker);
    this.#events.putBack(batch.events);
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
