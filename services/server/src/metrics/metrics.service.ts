import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds; the HTTP API is meant to answer within the first half of these. */
const SECONDS_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * The port through which every feature counts. Names begin with `modfleet_`, units are in the name (`_seconds`, `_bytes`, `_total`). Asking twice for one name
 * gives the same metric, so that several apps in one test process do not clash: each has its own registry.
 */
@Injectable()
export class Metrics implements OnApplicationShutdown {
  readonly registry = new Registry();

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  counter<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    const known = this.registry.getSingleMetric(name);
    return known instanceof Counter ? known : new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  /** `collect`, when given, is called at each scrape and says the value of then. */
  gauge<L extends string = never>(
    name: string,
    help: string,
    labelNames: readonly L[] = [],
    collect?: (gauge: Gauge<L>) => void | Promise<void>,
  ): Gauge<L> {
    const known = this.registry.getSingleMetric(name);
    if (known instanceof Gauge) return known;
    return new Gauge<L>({
      name,
      help,
      labelNames,
      registers: [this.registry],
      ...(collect === undefined
        ? {}
        : {
            collect(this: Gauge<L>) {
              return collect(this);
            },
          }),
    });
  }

  histogram<L extends string = never>(
    name: string,
    help: string,
    labelNames: readonly L[] = [],
    buckets: readonly number[] = SECONDS_BUCKETS,
  ): Histogram<L> {
    const known = this.registry.getSingleMetric(name);
    return known instanceof Histogram
      ? known
      : new Histogram({ name, help, labelNames, buckets: [...buckets], registers: [this.registry] });
  }

  onApplicationShutdown(): void {
    this.registry.clear();
  }
}
