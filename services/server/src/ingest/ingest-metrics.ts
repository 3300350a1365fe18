import type { Metrics } from '../metrics/metrics.service.ts';

/** What ingest counts. */
export class IngestMetrics {
  readonly updates;
  readonly uploads;
  readonly rejected;
  readonly throttled;
  readonly events;
  readonly flushSeconds;
  readonly flushFailures;

  constructor(metrics: Metrics, state: () => { hosts: number; dirty: number; uploadBytes: number; claims: number }) {
    this.updates = metrics.counter(
      'modfleet_ingest_updates_total',
      'Facet updates received, by facet and kind of content.',
      ['facet', 'content'],
    );
    this.uploads = metrics.counter(
      'modfleet_ingest_uploads_total',
      'Contents stored that nobody sent before, by facet.',
      ['facet'],
    );
    this.rejected = metrics.counter('modfleet_ingest_rejected_total', 'Contents refused, by facet.', ['facet']);
    this.throttled = metrics.counter(
      'modfleet_ingest_throttled_total',
      'Contents not asked for because the host brought too many in an hour.',
    );
    this.events = metrics.counter(
      'modfleet_ingest_events_total',
      'Events of kmods, told by hosts or found in inventories.',
      ['source'],
    );
    this.flushSeconds = metrics.histogram('modfleet_ingest_flush_seconds', 'Time of one batch.');
    this.flushFailures = metrics.counter(
      'modfleet_ingest_flush_failures_total',
      'Batches that the database did not take; they are tried again.',
    );
    metrics.gauge('modfleet_ingest_dirty_hosts', 'Hosts with news that is not stored yet.', [], (gauge) =>
      gauge.set(state().dirty),
    );
    metrics.gauge('modfleet_ingest_upload_bytes', 'Bytes of contents that wait to be stored.', [], (gauge) =>
      gauge.set(state().uploadBytes),
    );
    metrics.gauge('modfleet_ingest_claims', 'Contents that hosts were asked for.', [], (gauge) =>
      gauge.set(state().claims),
    );
  }
}
